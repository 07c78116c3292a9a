#include <fmt/core.h>

#include "text/jinja/parser.h"

namespace eyrie::jinja {
namespace {

using Kind = Statement::Kind;

class StatementParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body whole_template() { return body({}); }

 private:
  using Names = std::initializer_list<std::string_view>;

  Statement& make_statement(Kind kind) {
    return program_.statements.emplace_back(Statement{.kind = kind, .line = now().line});
  }

  // Until a tag that begins with one of `ends`, which is left behind its name; to the end of the template where `ends`
  // is empty.
  Body body(Names ends) {
    const Nested nested(*this);
    Body found;
    for (;;) {
      if (sees(Token::Kind::end)) {
        if (ends.size() > 0) fail_expected(fmt::format("{{% {} %}}", *ends.begin()));
        return found;
      }
      if (sees(Token::Kind::data)) {
        Statement& data = make_statement(Kind::data);
        data.text = tokens_[at_++].text;
        found.push_back(&data);
      } else if (sees(Token::Kind::output_begin)) {
        Statement& output = make_statement(Kind::output);
        ++at_;
        output.expressions = {tuple(true)};
        take(Token::Kind::output_end, "}}");
        found.push_back(&output);
      } else {
        take(Token::Kind::statement_begin, "a tag");
        for (const std::string_view end : ends)
          if (sees_name(end)) return found;
        found.push_back(statement());
        take(Token::Kind::statement_end, "the end of the tag");
      }
    }
  }

  // Behind the head of a tag: what stands up to the tag that ends it, taken with its name.
  Body block(std::string_view end) {
    Body found = block_until({end});
    ++at_;
    return found;
  }

  Body block_until(Names ends) {
    take_sign(":");
    take(Token::Kind::statement_end, "the end of the tag");
    return body(ends);
  }

  const Statement* statement() {
    struct Tag {
      std::string_view name;
      void (StatementParser::*parse)(Statement&);
      Kind kind;
    };
    static constexpr Tag kTags[] = {
        {"for", &StatementParser::for_loop, Kind::for_loop},
        {"if", &StatementParser::if_chain, Kind::if_chain},
        {"set", &StatementParser::set, Kind::assign},
        {"macro", &StatementParser::macro, Kind::macro},
        {"call", &StatementParser::call_block, Kind::call_block},
        {"filter", &StatementParser::filter_block, Kind::filter_block},
        {"with", &StatementParser::with, Kind::with},
        {"generation", &StatementParser::generation, Kind::generation},
        {"print", &StatementParser::print, Kind::output},
        {"break", &StatementParser::leave_loop, Kind::break_loop},
        {"continue", &StatementParser::leave_loop, Kind::continue_loop},
    };
    for (const Tag& tag : kTags) {
      if (!sees_name(tag.name)) continue;
      Statement& made = make_statement(tag.kind);
      ++at_;
      (this->*tag.parse)(made);
      return &made;
    }
    fail(fmt::format("a tag that is not known here: {}", described(now())));
  }

  void for_loop(Statement& loop) {
    loop.targets = {target(false)};
    expect_name("in");
    const Expression* items = tuple(false);
    const Expression* condition = take_name("if") ? expression() : nullptr;
    loop.expressions = {items, condition};
    loop.recursive = take_name("recursive");
    ++loops_;
    loop.bodies.push_back(block_until({"endfor", "else"}));
    --loops_;
    if (!take_name("endfor")) ++at_, loop.bodies.push_back(block("endfor"));
  }

  void if_chain(Statement& chain) {
    do {
      chain.expressions.push_back(tuple(false));
      chain.bodies.push_back(block_until({"elif", "else", "endif"}));
    } while (take_name("elif"));
    if (!take_name("endif")) ++at_, chain.bodies.push_back(block("endif"));
  }

  void set(Statement& statement) {
    statement.targets = {target(true)};
    if (take_sign("=")) {
      statement.expressions = {tuple(true)};
      return;
    }
    statement.kind = Kind::set_block;
    statement.expressions = {filters(nullptr)};
    statement.bodies = {block("endset")};
  }

  void signature(Signature& found) {
    expect_sign("(");
    while (!sees_sign(")")) {
      if (!found.parameters.empty()) expect_sign(",");
      const std::string name = take(Token::Kind::name, "a parameter's name").text;
      const Expression* otherwise = take_sign("=") ? expression() : nullptr;
      if (!otherwise && !found.parameters.empty() && found.parameters.back().otherwise)
        fail(fmt::format("parameter \"{}\" without a default stands behind one that has one", name));
      found.parameters.push_back({program_.symbol(name), name, otherwise});
    }
    expect_sign(")");
  }

  // A body that is a function of its own: no loop around it can be left from inside.
  Body function_body(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Body found = block(end);
    loops_ = loops;
    return found;
  }

  // The same, and which of the special variables it reads.
  void macro_body(Statement& macro, std::string_view end) {
    std::set<std::string> around = std::exchange(read_, {});
    macro.bodies = {function_body(end)};
    macro.signature.reads_varargs = read_.count("varargs") > 0;
    macro.signature.reads_kwargs = read_.count("kwargs") > 0;
    macro.signature.reads_caller = read_.count("caller") > 0;
    read_.merge(around);
  }

  void macro(Statement& macro) {
    macro.targets = {target(false)};
    if (macro.targets[0]->kind != Expression::Kind::variable) fail("a macro without a name");
    macro.signature.name = macro.targets[0]->name;
    signature(macro.signature);
    macro_body(macro, "endmacro");
  }

  void call_block(Statement& block) {
    if (sees_sign("(")) signature(block.signature);
    block.signature.name = "caller";
    block.expressions = {expression()};
    if (block.expressions[0]->kind != Expression::Kind::call) fail("expected a call behind \"call\"");
    macro_body(block, "endcall");
  }

  void filter_block(Statement& statement) {
    statement.expressions = {filters(filter(nullptr))};
    statement.bodies = {block("endfilter")};
  }

  void with(Statement& statement) {
    while (!sees(Token::Kind::statement_end) && !sees_sign(":")) {
      if (!statement.targets.empty()) expect_sign(",");
      statement.targets.push_back(target(false));
      expect_sign("=");
      statement.expressions.push_back(expression());
    }
    statement.bodies = {block("endwith")};
  }

  void generation(Statement& statement) { statement.bodies = {function_body("endgeneration")}; }

  void print(Statement& statement) { statement.expressions = {expression()}; }

  void leave_loop(Statement& statement) {
    if (loops_ == 0)
      fail_syntax(program_.place, statement.line,
                  fmt::format("\"{}\" outside a loop", statement.kind == Kind::break_loop ? "break" : "continue"));
  }

  int loops_ = 0;  // around, within one function
};

}  // namespace

Symbol Program::symbol(const std::string& name) {
  const auto [found, is_new] = symbols.emplace(name, static_cast<Symbol>(names.size()));
  if (is_new) names.push_back(name);
  return found->second;
}

void Program::mention(const std::string& text) {
  mentioned.insert(text);
  for (size_t begin = 0, dot = text.find('.'); begin <= text.size() && text.find('.') != text.npos;
       begin = dot + 1, dot = text.find('.', begin)) {
    mentioned.insert(text.substr(begin, dot - begin));
    if (dot == text.npos) break;
  }
}

void parse_program(Program& program, std::string_view source, const std::string& place) {
  program.place = place;
  program.symbol("loop");  // every loop sets it
  StatementParser parser(program, tokenize(source, place));
  program.body = parser.whole_template();
}

}  // namespace eyrie::jinja
