// text/jinja/syntax.h: a template as tokens, and parsed. Nodes lie in the Program that owns them, so that a deep one is
// freed flat.
#pragma once
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/builtins.h"
#include "text/jinja/python.h"
#include "text/jinja/value.h"

namespace eyrie::jinja {

// Data between tags (white space already trimmed as trim_blocks, lstrip_blocks and the signs in tags say), and what
// stands in tags.
struct Token {
  enum class Kind { data, name, sign, text, number, end };
  Kind kind;
  int line;
  std::string text = {};  // of data, a name, a sign ({{ and {% among them); of a string what it says
  Value number = {};
};

// Error{file} at place:line. The last token is of kind `end`.
std::vector<Token> tokenize(std::string_view source, const std::string& place);

[[noreturn]] void fail_syntax(const std::string& place, int line, const std::string& message);

struct Expression;
struct Macro;
struct Statement;
using Body = std::vector<const Statement*>;

struct CallArgument {
  std::string name;  // empty: by position
  const Expression* value;
};

struct Expression {
  enum class Kind {
    constant,     // constant
    variable,     // name
    attribute,    // parts[0].name
    item,         // parts[0][parts[1]]
    slice,        // parts[0][parts[1] : parts[2] : parts[3]], null where nothing stands
    call,         // parts[0](arguments)
    builtin,      // parts[0] | builtin(arguments), or parts[0] is builtin(arguments); null: of a block's text
    invert,       // not parts[0]
    operation,    // parts[0] operators[0] parts[1] operators[1] parts[2] ..., from the left
    conditional,  // parts[0] if parts[1] else parts[2] (null: none)
    list,
    tuple,
    dictionary,  // parts: key, value, key, value, ...
    macro,
  };
  Kind kind;
  int line;
  std::vector<const Expression*> parts = {};
  std::vector<std::string_view> operators = {};
  std::vector<CallArgument> arguments = {};
  std::string name = {};
  Value constant = {};
  const Builtin* builtin = nullptr;
  const Macro* macro = nullptr;
};

struct Parameter {
  std::string name;
  const Expression* otherwise;  // null: none
};

// {% macro name(parameters) %}, or what {% call(parameters) %} hands on as its caller.
struct Macro {
  std::string name;
  std::vector<Parameter> parameters = {};
  Body body = {};
};

struct Statement {
  enum class Kind {
    data,      // text
    output,    // expressions[0]
    for_loop,  // for target in expressions[0] if expressions[1] (null: none): bodies[0]; else bodies[1]
    if_chain,  // expressions[i] guards bodies[i]; a last body more is the else's
    assign,    // target = expressions[0]
    block,     // target = bodies[0], filtered by expressions[0] (null: none); without a target it is output
    with,      // targets of expressions: targets[i] = expressions[i]
    generation,
    break_loop,
    continue_loop,
  };
  Kind kind;
  int line;
  std::string text = {};
  std::vector<const Expression*> expressions = {};
  std::vector<const Expression*> targets = {};  // variables, tuples of targets, attributes (of namespaces)
  std::vector<Body> bodies = {};
};

struct Program {
  std::string place;
  std::deque<Expression> expressions;
  std::deque<Statement> statements;
  std::deque<Macro> macros;
  Body body;
  std::set<std::string, std::less<>> mentioned;

  void mention(const std::string& text);  // and its parts between dots: attribute="function.name"
};

// Error{file} at place:line.
void parse_program(Program& program, std::string_view source, const std::string& place);

}  // namespace eyrie::jinja
