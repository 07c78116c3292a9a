#include "text/jinja/interpreter.h"

#include <fmt/core.h>

#include "base/error.h"
#include "text/jinja/callables.h"

namespace eyrie::jinja {

void Scope::set(Symbol symbol, Value value) {
  for (auto& [found, old] : variables)
    if (found == symbol) return void(old = std::move(value));
  variables.emplace_back(symbol, std::move(value));
}

Interpreter::Interpreter(const Program& program, const std::tm& now)
    : program_(program), context_{.work = {}, .now = now}, globals_(program.names.size()), output_(context_.work) {}

Interpreter::~Interpreter() {
  for (const auto& scope : kept_) scope->variables.clear();
  for (const auto& space : spaces_) space->clear();
}

void Interpreter::set_globals(const Json& variables) {
  for (size_t i = 0; i < program_.names.size(); ++i)
    if (const Builtin* function = find_function(program_.names[i]))
      globals_[i] = make_function([this, function](Context& context, Arguments arguments) {
        Value value = call_builtin(context, *function, {}, std::move(arguments));
        if (value.is_object())
          if (auto space = std::dynamic_pointer_cast<Namespace>(value.shared_object())) spaces_.push_back(space);
        return value;
      });
  for (const auto& [name, value] : variables.as_members()) {
    const auto symbol = program_.symbols.find(name);
    if (symbol != program_.symbols.end())
      globals_[static_cast<size_t>(symbol->second)] = Value::from_json(context_.work, value);
  }
}

JinjaOutput Interpreter::run(const Json& variables) {
  try {
    set_globals(variables);
    execute(program_.body);
  } catch (const Error& error) {
    throw Error(error.kind(), place_of_line(program_.place, line_), error.what());
  }
  return {output_.take(), std::move(generation_)};
}

const Value* Interpreter::find(Symbol symbol) const {
  for (const Scope* scope = scope_.get(); scope; scope = scope->parent.get())
    for (const auto& [found, value] : scope->variables)
      if (found == symbol) return &value;
  const auto& global = globals_[static_cast<size_t>(symbol)];
  return global ? &*global : nullptr;
}

void Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == Expression::Kind::variable) return scope_->set(target.symbol, std::move(value));
  if (target.kind == Expression::Kind::attribute) {
    const Value owner = evaluate(*target.parts[0]);
    auto* space = owner.is_object() ? dynamic_cast<Namespace*>(&owner.object()) : nullptr;
    if (!space) fail(fmt::format("cannot set an attribute of '{}', which is no namespace", target.parts[0]->name));
    return space->set(target.name, std::move(value));
  }
  const Values items = items_of(context_.work, value);
  if (items.size() != target.parts.size())
    fail(fmt::format("expected {} values to unpack, found {}", target.parts.size(), items.size()));
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i]);
}

// Errors end the rendering: scope, sink and counts are put back only where it goes on.
Value Interpreter::called(const std::function<void()>& body) {
  if (++calls_ > kMostDepth) fail(fmt::format("calls nested deeper than {}", kMostDepth));
  TextBuilder text(context_.work);
  TextBuilder* outer = std::exchange(sink_, &text);
  body();
  sink_ = outer;
  --calls_;
  return Value(text.take());
}

// Of a block that jinja takes for a text without asking.
void Interpreter::write_text(const Value& value) {
  if (!value.is_text()) fail(fmt::format("a block gives a string, found '{}'", value.type_name()));
  *sink_ << value.text();
}

Interpreter::Flow Interpreter::execute(const Body& body) {
  for (const Statement* statement : body) {
    const Flow flow = execute(*statement);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::execute_within(ScopePointer scope, const Body& body) {
  const ScopePointer outer = std::exchange(scope_, std::move(scope));
  const Flow flow = execute(body);
  scope_ = outer;
  return flow;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  using Kind = Statement::Kind;
  context_.work.spend();
  const int outer = std::exchange(line_, statement.line);
  if (++nesting_ > kMostNesting) fail(fmt::format("nested deeper than {} when rendered", kMostNesting));
  Flow flow = Flow::on;
  switch (statement.kind) {
    case Kind::data:
      *sink_ << statement.text;
      break;
    case Kind::output:
      write(context_.work, *sink_, evaluate(*statement.expressions[0]));
      break;
    case Kind::for_loop:
      flow = execute_loop(statement, evaluate(*statement.expressions[0]), 0);
      break;
    case Kind::if_chain:
      flow = execute_chain(statement);
      break;
    case Kind::assign:
      assign(*statement.targets[0], evaluate(*statement.expressions[0]));
      break;
    case Kind::set_block:
    case Kind::filter_block:
      flow = execute_block(statement);
      break;
    case Kind::macro:
      assign(*statement.targets[0], make_macro(statement));
      break;
    case Kind::call_block:
      execute_call(statement);
      break;
    case Kind::with:
      flow = execute_with(statement);
      break;
    case Kind::generation:
      execute_generation(statement);
      break;
    case Kind::break_loop:
      flow = Flow::break_loop;
      break;
    case Kind::continue_loop:
      flow = Flow::continue_loop;
  }
  --nesting_;
  line_ = outer;
  return flow;
}

void Interpreter::execute_call(const Statement& statement) {
  const Value caller = make_macro(statement);
  write_text(call_of(*statement.expressions[0], &caller));
}

Interpreter::Flow Interpreter::execute_chain(const Statement& chain) {
  for (size_t i = 0; i < chain.expressions.size(); ++i)
    if (evaluate(*chain.expressions[i]).truth()) return execute(chain.bodies[i]);
  return chain.bodies.size() > chain.expressions.size() ? execute(chain.bodies.back()) : Flow::on;
}

Interpreter::Flow Interpreter::execute_loop(const Statement& statement, const Value& items, int64_t depth) {
  const Symbol loop_symbol = program_.symbols.find("loop")->second;
  const auto loop = std::make_shared<Loop>(*this, statement, items_of(context_.work, items), depth);
  const ScopePointer outer = scope_;
  bool ran = false;  // to the end of the body once: `continue` and `break` do not count, as in jinja
  Flow flow = Flow::on;
  while (flow != Flow::break_loop && loop->next()) {
    context_.work.spend();
    scope_ = std::make_shared<Scope>(Scope{outer});
    scope_->set(loop_symbol, Value(std::shared_ptr<Object>(loop)));
    assign(*statement.targets[0], loop->current());
    flow = execute(statement.bodies[0]);
    scope_ = outer;
    ran = ran || flow == Flow::on;
  }
  if (ran || statement.bodies.size() == 1) return Flow::on;
  return execute_within(std::make_shared<Scope>(Scope{outer}), statement.bodies[1]);
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  const auto scope = std::make_shared<Scope>(Scope{scope_});
  for (size_t i = 0; i < statement.targets.size(); ++i) {
    Value value = evaluate(*statement.expressions[i]);  // sees what is around, not its neighbours
    const ScopePointer outer = std::exchange(scope_, scope);
    assign(*statement.targets[i], std::move(value));
    scope_ = outer;
  }
  return execute_within(scope, statement.bodies[0]);
}

Interpreter::Flow Interpreter::execute_block(const Statement& statement) {
  TextBuilder text(context_.work);
  TextBuilder* outer = std::exchange(sink_, &text);
  const Flow flow = execute_within(std::make_shared<Scope>(Scope{scope_}), statement.bodies[0]);
  sink_ = outer;
  if (flow != Flow::on) return flow;
  Value value(text.take());
  if (const Expression* filter = statement.expressions[0]) {
    const Value outer_text = std::exchange(block_text_, std::move(value));
    value = evaluate(*filter);
    block_text_ = outer_text;
  }
  if (statement.kind == Statement::Kind::filter_block)
    write_text(value);
  else
    assign(*statement.targets[0], std::move(value));
  return Flow::on;
}

// A range tells bytes of the output. Text that is captured is anywhere or nowhere in it: the output has not grown.
void Interpreter::execute_generation(const Statement& statement) {
  const bool outermost = !std::exchange(in_generation_, true);
  const size_t begin = output_.text().size();
  execute_within(std::make_shared<Scope>(Scope{scope_}), statement.bodies[0]);
  if (!outermost) return;
  in_generation_ = false;
  if (output_.text().size() > begin) generation_.push_back({begin, output_.text().size()});
}

Value Interpreter::make_macro(const Statement& statement) {
  if (kept_.empty() || kept_.back() != scope_) kept_.push_back(scope_);
  return Value(std::shared_ptr<Object>(std::make_shared<Macro>(*this, statement, scope_)));
}

}  // namespace eyrie::jinja
