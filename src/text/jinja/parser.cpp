#include <fmt/core.h>

#include "text/jinja/expression_parser.h"

namespace eyrie::jinja {
namespace {

class StatementParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  using Names = std::initializer_list<std::string_view>;

  // Until a tag that begins with one of `ends`, which is left before its name; to the end of the template where `ends`
  // is empty.
  Body body(Names ends) {
    const Nested nested(*this);
    Body found;
    while (!sees(Token::Kind::end)) {
      if (sees(Token::Kind::data)) {
        Statement& data = make_statement(Kind::data);
        data.text = tokens_[at_++].text;
        found.push_back(&data);
      } else if (sees("{{")) {
        Statement& output = make_statement(Kind::output);
        ++at_;
        output.expressions = {tuple(true)};
        expect("}}");
        found.push_back(&output);
      } else {
        expect("{%");
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return sees(end); })) return found;
        found.push_back(&statement());
        expect("%}");
      }
    }
    if (ends.size() > 0) fail_expected(fmt::format("{{% {} %}}", *ends.begin()));
    return found;
  }

 private:
  using Kind = Statement::Kind;

  Statement& make_statement(Kind kind) {
    return program_.statements.emplace_back(Statement{.kind = kind, .line = now().line});
  }

  // Behind the head of a tag: what stands up to one of the tags that end it.
  Body block_until(Names ends) {
    expect("%}");
    return body(ends);
  }

  // The same, behind the name of the one that ends it.
  Body block(std::string_view end) {
    Body found = block_until({end});
    ++at_;
    return found;
  }

  // A body that is a function of its own: no loop around it can be left from inside.
  Body function_body(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Body found = block(end);
    loops_ = loops;
    return found;
  }

  Statement& statement() {
    if (take("for")) return for_loop();
    if (take("if")) return if_chain();
    if (take("set")) return set();
    if (take("macro")) return macro();
    if (take("call")) return call_block();
    if (take("filter")) return filter_block();
    if (take("with")) return with();
    if (take("break")) return leave_loop(Kind::break_loop);
    if (take("continue")) return leave_loop(Kind::continue_loop);
    if (!take("generation")) fail(fmt::format("a tag that is not known here: \"{}\"", now().text));
    Statement& generation = make_statement(Kind::generation);
    generation.bodies = {function_body("endgeneration")};
    return generation;
  }

  Statement& for_loop() {
    Statement& loop = make_statement(Kind::for_loop);
    loop.targets = {target(false)};
    expect("in");
    const Expression* items = tuple(false);
    loop.expressions = {items, take("if") ? expression() : nullptr};
    ++loops_;
    loop.bodies.push_back(block_until({"endfor", "else"}));
    --loops_;
    if (take("else")) loop.bodies.push_back(block_until({"endfor"}));
    expect("endfor");
    return loop;
  }

  Statement& if_chain() {
    Statement& chain = make_statement(Kind::if_chain);
    do {
      chain.expressions.push_back(tuple(false));
      chain.bodies.push_back(block_until({"elif", "else", "endif"}));
    } while (take("elif"));
    if (take("else")) chain.bodies.push_back(block_until({"endif"}));
    expect("endif");
    return chain;
  }

  Statement& set() {
    Statement& statement = make_statement(Kind::assign);
    statement.targets = {target(true)};
    if (take("=")) {
      statement.expressions = {tuple(true)};
      return statement;
    }
    statement.kind = Kind::block;
    statement.expressions = {filters(nullptr)};
    statement.bodies = {block("endset")};
    return statement;
  }

  void parameters(Macro& macro) {
    expect("(");
    list_of(")", [&] {
      const std::string name = take_name("a parameter's name");
      const Expression* otherwise = take("=") ? expression() : nullptr;
      if (!otherwise && !macro.parameters.empty() && macro.parameters.back().otherwise)
        fail(fmt::format("parameter \"{}\" without a default stands behind one that has one", name));
      macro.parameters.push_back({name, otherwise});
    });
  }

  Statement& macro() {
    Statement& statement = make_statement(Kind::assign);
    Macro& macro = program_.macros.emplace_back(Macro{now().text});
    statement.targets = {target(false)};
    parameters(macro);
    macro.body = function_body("endmacro");
    statement.expressions = {macro_value(macro, statement.line)};
    return statement;
  }

  // The output of the call, which gets the body as an argument more.
  Statement& call_block() {
    Statement& statement = make_statement(Kind::output);
    Macro& caller = program_.macros.emplace_back(Macro{"caller"});
    if (sees("(")) parameters(caller);
    const Expression* called = expression();
    if (called->kind != Expression::Kind::call) fail("expected a call behind \"call\"");
    caller.body = function_body("endcall");
    Expression& call = program_.expressions.emplace_back(*called);
    call.line = statement.line;
    call.arguments.push_back({"caller", macro_value(caller, statement.line)});
    statement.expressions = {&call};
    return statement;
  }

  const Expression* macro_value(const Macro& macro, int line) {
    Expression& value = make(Expression::Kind::macro, line);
    value.macro = &macro;
    return &value;
  }

  Statement& filter_block() {
    Statement& statement = make_statement(Kind::block);
    statement.expressions = {filters(nullptr, true)};
    statement.bodies = {block("endfilter")};
    return statement;
  }

  Statement& with() {
    Statement& statement = make_statement(Kind::with);
    while (!sees("%}")) {
      if (!statement.targets.empty()) expect(",");
      statement.targets.push_back(target(false));
      expect("=");
      statement.expressions.push_back(expression());
    }
    statement.bodies = {block("endwith")};
    return statement;
  }

  Statement& leave_loop(Kind kind) {
    if (loops_ == 0) fail("\"break\" or \"continue\" outside a loop");
    return make_statement(kind);
  }

  int loops_ = 0;  // around, within one function
};

}  // namespace

void Program::mention(const std::string& text) {
  mentioned.insert(text);
  for (const std::string_view part : split_at(text, ".")) mentioned.emplace(part);
}

void parse_program(Program& program, std::string_view source, const std::string& place) {
  program.place = place;
  StatementParser parser(program, tokenize(source, place));
  program.body = parser.body({});
}

}  // namespace eyrie::jinja
