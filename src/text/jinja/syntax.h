// text/jinja/syntax.h: a parsed template. Nodes lie in the Program that owns them, so that a deep one is freed flat.
#pragma once
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/value.h"

namespace eyrie::jinja {

struct Expression;
struct Statement;
using Body = std::vector<const Statement*>;
using Symbol = int;  // a variable's name: its place in Program::names

struct CallArgument {
  enum class Kind { positional, named, items, members };  // value, name=value, *value, **value
  Kind kind;
  std::string name;
  const Expression* value;
};

struct Expression {
  enum class Kind {
    constant,     // constant
    variable,     // symbol
    attribute,    // parts[0].name
    item,         // parts[0][parts[1]]
    slice,        // parts[0][parts[1] : parts[2] : parts[3]], null where nothing stands
    call,         // parts[0](arguments)
    filter,       // parts[0] | builtin(arguments); of a block's text where parts[0] is null
    test,         // parts[0] is builtin(arguments)
    negate,       // - parts[0]
    plus,         // + parts[0]
    invert,       // not parts[0]
    arithmetic,   // parts[0] operators[0] parts[1] operators[1] parts[2] ..., from the left
    comparison,   // the same, as Python chains them
    concatenate,  // parts, by ~
    all_of,       // parts, by `and`
    any_of,       // parts, by `or`
    conditional,  // parts[0] if parts[1] else parts[2] (null: none)
    list,
    tuple,
    dictionary,  // parts: key, value, key, value, ...
  };
  Kind kind;
  int line;
  std::vector<const Expression*> parts = {};
  std::vector<Operator> operators = {};
  std::vector<CallArgument> arguments = {};
  std::string name = {};
  Symbol symbol = 0;
  Value constant = {};
  const Builtin* builtin = nullptr;
};

struct Parameter {
  Symbol symbol;
  std::string name;
  const Expression* otherwise;  // null: none
};

// Of a macro, or of the block that a `call` hands on as its caller.
struct Signature {
  std::string name;
  std::vector<Parameter> parameters;
  bool reads_varargs = false, reads_kwargs = false, reads_caller = false;
};

struct Statement {
  enum class Kind {
    data,        // text
    output,      // expressions[0]
    for_loop,    // for target in expressions[0] if expressions[1] (null: none): bodies[0]; else bodies[1]
    if_chain,    // expressions[i] guards bodies[i]; a last body more is the else's
    assign,      // target = expressions[0]
    set_block,   // target = bodies[0], filtered by expressions[0] (null: none)
    macro,       // target names it
    call_block,  // expressions[0], a call, with bodies[0] as its caller
    filter_block,
    with,  // targets of expressions: targets[i] = expressions[i]
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
  Signature signature = {};
  bool recursive = false;
};

struct Program {
  std::string place;
  std::deque<Expression> expressions;
  std::deque<Statement> statements;
  Body body;
  std::vector<std::string> names;
  std::map<std::string, Symbol, std::less<>> symbols;
  std::set<std::string, std::less<>> mentioned;

  Symbol symbol(const std::string& name);
  void mention(const std::string& text);  // and its parts between dots: attribute="function.name"
};

// Error{file} at place:line.
void parse_program(Program& program, std::string_view source, const std::string& place);

}  // namespace eyrie::jinja
