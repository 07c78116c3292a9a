// Runs a Program once. Scopes are as jinja compiles them: what a `for`, `with`, macro or block sets is gone behind it,
// what an `if` sets stays. Errors end the rendering: scope, sink and counts are put back only where it goes on.
#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <map>

#include "base/error.h"
#include "text/jinja/jinja.h"
#include "text/jinja/loop.h"
#include "text/jinja/syntax.h"

namespace eyrie::jinja {
namespace {

struct Scope {
  const Scope* parent;
  std::vector<std::pair<std::string_view, Value>> variables = {};  // named by the program

  void set(std::string_view name, Value value) {
    for (auto& [found, old] : variables)
      if (found == name) return void(old = std::move(value));
    variables.emplace_back(name, std::move(value));
  }
};

class Interpreter {
 public:
  Interpreter(const Program& program, const std::tm& now) : program_(program), context_(now), output_(context_) {}

  JinjaOutput run(const Json& variables) {
    try {
      for (const auto& [name, value] : variables.as_members())
        if (program_.mentioned.count(name) > 0) globals_.emplace(name, Value::from_json(context_, value));
      execute_within(inner_scope(nullptr), program_.body);
    } catch (const Error& error) {
      throw Error(error.kind(), place_of_line(program_.place, line_), error.what());
    }
    return {output_.take(), std::move(generation_)};
  }

 private:
  enum class Flow { on, break_loop, continue_loop };

  Value find(const std::string& name) {
    for (const Scope* scope = scope_; scope; scope = scope->parent)
      for (const auto& [found, value] : scope->variables)
        if (found == name) return value;
    if (const auto global = globals_.find(name); global != globals_.end()) return global->second;
    const Builtin* function = find_function(name);
    if (!function) return Value::undefined(fmt::format("'{}' is undefined", name));
    return make_function(context_, [function](Context& context, Arguments arguments) {
      return call_builtin(context, *function, {}, std::move(arguments));
    });
  }

  void assign(Scope* scope, const Expression& target, Value value) {
    if (target.kind == Expression::Kind::variable) return scope->set(target.name, std::move(value));
    if (target.kind == Expression::Kind::attribute) {
      const Value owner = evaluate(*target.parts[0]);
      Object* space = owner.object();
      if (!space || !space->is_namespace)
        fail(fmt::format("cannot set an attribute of '{}', which is no namespace", target.parts[0]->name));
      return space->set(target.name, std::move(value));
    }
    const Values items = items_of(context_, value);
    if (items.size() != target.parts.size())
      fail(fmt::format("expected {} values to unpack, found {}", target.parts.size(), items.size()));
    for (size_t i = 0; i < items.size(); ++i) assign(scope, *target.parts[i], items[i]);
  }

  // Scopes cost memory until the end, so that they cost steps.
  Scope* inner_scope(const Scope* parent) {
    context_.spend(2);
    return &scopes_.emplace_back(Scope{parent});
  }

  Flow execute(const Body& body) {
    for (const Statement* statement : body) {
      const Flow flow = execute(*statement);
      if (flow != Flow::on) return flow;
    }
    return Flow::on;
  }

  Flow execute_within(Scope* scope, const Body& body) {
    Scope* outer = std::exchange(scope_, scope);
    const Flow flow = execute(body);
    scope_ = outer;
    return flow;
  }

  // One step, at its line. An error keeps the line that it happened at.
  template <typename Step>
  auto at_line(int line, const Step& step) {
    context_.spend();
    const int outer = std::exchange(line_, line);
    if (++nesting_ > kMostNesting) fail(fmt::format("nested deeper than {} when rendered", kMostNesting));
    auto result = step();
    --nesting_;
    line_ = outer;
    return result;
  }

  Flow execute(const Statement& statement) {
    return at_line(statement.line, [&] { return flow_of(statement); });
  }

  Flow flow_of(const Statement& statement) {
    using Kind = Statement::Kind;
    const Kind kind = statement.kind;
    if (kind == Kind::for_loop) return execute_loop(statement);
    if (kind == Kind::if_chain) return execute_chain(statement);
    if (kind == Kind::block) return execute_block(statement);
    if (kind == Kind::with) return execute_with(statement);
    if (kind == Kind::generation) return execute_generation(statement);
    if (kind == Kind::break_loop) return Flow::break_loop;
    if (kind == Kind::continue_loop) return Flow::continue_loop;
    if (kind == Kind::data) *sink_ << statement.text;
    if (kind == Kind::output) write(context_, *sink_, evaluate(*statement.expressions[0]));
    if (kind == Kind::assign) assign(scope_, *statement.targets[0], evaluate(*statement.expressions[0]));
    return Flow::on;
  }

  Flow execute_chain(const Statement& chain) {
    for (size_t i = 0; i < chain.expressions.size(); ++i)
      if (evaluate(*chain.expressions[i]).truth()) return execute(chain.bodies[i]);
    return chain.bodies.size() > chain.expressions.size() ? execute(chain.bodies.back()) : Flow::on;
  }

  Flow execute_loop(const Statement& statement) {
    const Expression* condition = statement.expressions[1];
    Scope* outer = scope_;
    const auto passes = [this, &statement, condition, outer](const Value& item) {
      Scope* inner = std::exchange(scope_, inner_scope(outer));
      assign(scope_, *statement.targets[0], item);
      const bool passed = evaluate(*condition).truth();
      scope_ = inner;
      return passed;
    };
    const Value items = evaluate(*statement.expressions[0]);
    auto* loop = new Loop(items_of(context_, items), condition ? std::function<bool(const Value&)>(passes) : nullptr);
    context_.keep(std::unique_ptr<Object>(loop));
    bool ran = false;  // to the end of the body once: `continue` and `break` do not count, as in jinja
    Flow flow = Flow::on;
    for (const Value* item = loop->next(); item; item = loop->next()) {
      scope_ = inner_scope(outer);
      scope_->set("loop", loop);
      assign(scope_, *statement.targets[0], *item);
      flow = execute(statement.bodies[0]);
      scope_ = outer;
      ran = ran || flow == Flow::on;
      if (flow == Flow::break_loop) break;
    }
    if (ran || statement.bodies.size() == 1) return Flow::on;
    return execute_within(inner_scope(outer), statement.bodies[1]);
  }

  Flow execute_with(const Statement& statement) {
    Scope* scope = inner_scope(scope_);
    for (size_t i = 0; i < statement.targets.size(); ++i)  // each value sees what is around, not its neighbours
      assign(scope, *statement.targets[i], evaluate(*statement.expressions[i]));
    return execute_within(scope, statement.bodies[0]);
  }

  Flow execute_block(const Statement& statement) {
    TextBuilder text(context_);
    TextBuilder* outer = std::exchange(sink_, &text);
    const Flow flow = execute_within(inner_scope(scope_), statement.bodies[0]);
    sink_ = outer;
    if (flow != Flow::on) return flow;
    Value value(text.take());
    if (const Expression* filter = statement.expressions[0]) {
      const Value outer_text = std::exchange(block_text_, std::move(value));
      value = evaluate(*filter);
      block_text_ = outer_text;
    }
    if (statement.targets.empty())
      write(context_, *sink_, value);
    else
      assign(scope_, *statement.targets[0], std::move(value));
    return Flow::on;
  }

  // A range tells bytes of the output. Text that is captured is anywhere or nowhere in it: the output has not grown.
  Flow execute_generation(const Statement& statement) {
    const bool outermost = !std::exchange(in_generation_, true);
    const size_t begin = output_.text().size();
    execute_within(inner_scope(scope_), statement.bodies[0]);
    in_generation_ = !outermost;
    if (outermost && output_.text().size() > begin) generation_.push_back({begin, output_.text().size()});
    return Flow::on;
  }

  Value make_macro(const Macro& macro) {
    return make_function(context_, [this, &macro, around = scope_](Context&, Arguments arguments) {
      return call_macro(macro, around, std::move(arguments));
    });
  }

  Value call_macro(const Macro& macro, const Scope* around, Arguments arguments) {
    if (++calls_ > kMostDepth) fail(fmt::format("calls nested deeper than {}", kMostDepth));
    TextBuilder text(context_);
    TextBuilder* outer_sink = std::exchange(sink_, &text);
    Scope* outer = std::exchange(scope_, inner_scope(around));
    bind(macro, std::move(arguments));
    execute(macro.body);
    scope_ = outer;
    sink_ = outer_sink;
    --calls_;
    return text.take();
  }

  // The parameters of a macro, in the scope of its call.
  void bind(const Macro& macro, Arguments arguments) {
    Values& given = arguments.positional;
    auto& named = arguments.named;
    const auto take = [&](std::string_view name) -> std::optional<Value> {
      const auto found = std::find_if(named.begin(), named.end(), [&](auto& one) { return one.first == name; });
      if (found == named.end()) return std::nullopt;
      Value value = std::move(found->second);
      named.erase(found);
      return value;
    };
    scope_->set("caller", Value::undefined("No caller defined"));
    const size_t taken = std::min(given.size(), macro.parameters.size());
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
      const auto& [name, otherwise] = macro.parameters[i];
      std::optional<Value> value = i < taken ? given[i] : take(name);
      if (!value && otherwise) value = evaluate(*otherwise);  // which sees the parameters before it
      scope_->set(name, value ? *value : Value::undefined(fmt::format("parameter '{}' was not provided", name)));
    }
    if (const std::optional<Value> caller = take("caller")) scope_->set("caller", *caller);
    if (!named.empty()) fail(fmt::format("macro '{}' takes no keyword argument '{}'", macro.name, named[0].first));
    if (given.size() > taken) fail(fmt::format("macro '{}' takes not more than {} arguments", macro.name, taken));
  }

  Value evaluate(const Expression& expression) {
    return at_line(expression.line, [&] { return value_of(expression); });
  }

  Value value_of(const Expression& expression) {
    using Kind = Expression::Kind;
    const Kind kind = expression.kind;
    const auto part = [&](size_t i) { return evaluate(*expression.parts[i]); };
    if (kind == Kind::constant) return expression.constant;
    if (kind == Kind::variable) return find(expression.name);
    if (kind == Kind::attribute) return attribute_of(context_, part(0), expression.name);
    if (kind == Kind::slice) return slice_of(expression);
    if (kind == Kind::call) return call_of(expression);
    if (kind == Kind::builtin) return builtin_of(expression);
    if (kind == Kind::macro) return make_macro(*expression.macro);
    if (kind == Kind::invert) return !part(0).truth();
    if (kind == Kind::operation) return operation_of(expression);
    if (kind == Kind::list || kind == Kind::tuple || kind == Kind::dictionary) return container_of(expression);
    if (kind == Kind::item) {
      const Value owner = part(0);
      return item_of(context_, owner, part(1));
    }
    if (part(1).truth()) return part(0);  // a conditional
    if (expression.parts[2]) return part(2);
    return Value::undefined("the inline if-expression has no else, and its condition is false");
  }

  // All operators of one operation bind alike: what decides an `and` or `or` ends it.
  Value operation_of(const Expression& expression) {
    Value left = evaluate(*expression.parts[0]);
    for (size_t i = 0; i < expression.operators.size(); ++i) {
      const std::string_view sign = expression.operators[i];
      const bool is_logical = sign == "or" || sign == "and";
      if (is_logical && left.truth() == (sign == "or")) break;
      const Value right = evaluate(*expression.parts[i + 1]);
      left = is_logical ? right : operate(context_, sign, left, right);
    }
    return left;
  }

  Value container_of(const Expression& expression) {
    Values values;
    for (const Expression* part : expression.parts) values.push_back(evaluate(*part));
    if (expression.kind == Expression::Kind::list) return make_sequence(context_, std::move(values));
    if (expression.kind == Expression::Kind::tuple) return make_sequence(context_, std::move(values), true);
    Pairs pairs;
    for (size_t i = 0; i < values.size(); i += 2) pairs.emplace_back(std::move(values[i]), std::move(values[i + 1]));
    return make_dictionary(context_, std::move(pairs));
  }

  Value slice_of(const Expression& expression) {
    const Value value = evaluate(*expression.parts[0]);
    const auto bound = [&](size_t i) { return expression.parts[i] ? evaluate(*expression.parts[i]) : Value::none(); };
    const Value begin = bound(1), end = bound(2), step = bound(3);
    return slice(context_, value, begin, end, step);
  }

  Value builtin_of(const Expression& expression) {
    const Value self = expression.parts[0] ? evaluate(*expression.parts[0]) : block_text_;
    return call_builtin(context_, *expression.builtin, self, arguments_of(expression));
  }

  Value call_of(const Expression& expression) {
    const Expression& callee = *expression.parts[0];
    if (callee.kind == Expression::Kind::attribute) {
      const Value self = evaluate(*callee.parts[0]);
      // A method is called where it is found, without an object of its own.
      if (const Builtin* method = find_method(self, callee.name))
        return call_builtin(context_, *method, self, arguments_of(expression));
    }
    const Value called = evaluate(callee);
    called.check_defined();
    if (!called.object() || !called.object()->call)
      fail(fmt::format("'{}' object is not callable", called.type_name()));
    return called.object()->call(context_, arguments_of(expression));
  }

  Arguments arguments_of(const Expression& expression) {
    Arguments arguments;
    for (const auto& [name, argument] : expression.arguments) {
      if (name.empty())
        arguments.positional.push_back(evaluate(*argument));
      else
        arguments.named.emplace_back(name, evaluate(*argument));
    }
    return arguments;
  }

  const Program& program_;
  Context context_;
  std::map<std::string, Value, std::less<>> globals_;
  std::deque<Scope> scopes_;  // kept to the end, as macros look into them
  Scope* scope_ = nullptr;
  TextBuilder output_;
  TextBuilder* sink_ = &output_;
  std::vector<JinjaOutput::Range> generation_;
  bool in_generation_ = false;
  Value block_text_;  // of the block that is filtered
  int line_ = 1;
  int nesting_ = 0;
  int calls_ = 0;
};

}  // namespace
}  // namespace eyrie::jinja

namespace eyrie {

struct JinjaTemplate::Program : jinja::Program {};

JinjaTemplate JinjaTemplate::parse(std::string_view source, const std::string& place) {
  auto program = std::make_shared<Program>();
  jinja::parse_program(*program, source, place);
  return JinjaTemplate(std::move(program));
}

JinjaOutput JinjaTemplate::render(const Json& variables, const std::tm& now) const {
  return jinja::Interpreter(*program_, now).run(variables);
}

bool JinjaTemplate::mentions(std::string_view name) const { return program_->mentioned.count(name) > 0; }

}  // namespace eyrie
