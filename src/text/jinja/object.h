// text/jinja/object.h: values with a state or a call: functions, macros, namespaces, loops.
#pragma once
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace eyrie::jinja {

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

// What functions, filters, tests and methods may use beside their arguments.
struct Context {
  Work work;
  std::tm now{};
  int builtins = 0;  // that call each other: map('map', 'map', ...)
};

class Object {
 public:
  virtual ~Object() = default;
  virtual std::optional<Value> attribute(Context&, std::string_view) { return std::nullopt; }
  virtual bool is_callable() const { return true; }
  virtual int depth() const { return 0; }  // of the values that it owns; what the interpreter frees itself has none
  virtual Value call(Context& context, Arguments arguments) = 0;
  virtual std::string written(Work&, int /*depth*/) const { fail("a function is written out"); }
};

class Function : public Object {
 public:
  using Body = std::function<Value(Context&, Arguments)>;
  Function(Body body, int depth) : body_(std::move(body)), depth_(depth) {}
  int depth() const override { return depth_; }
  Value call(Context& context, Arguments arguments) override { return body_(context, std::move(arguments)); }

 private:
  Body body_;
  int depth_;
};

// `depth` of what `body` holds.
inline Value make_function(Function::Body body, int depth = 0) {
  return Value(std::shared_ptr<Object>(std::make_shared<Function>(std::move(body), depth)));
}

// `{% set space.name = value %}` writes to it.
class Namespace : public Object {
 public:
  explicit Namespace(std::vector<std::pair<std::string, Value>> members) : members_(std::move(members)) {}
  std::optional<Value> attribute(Context&, std::string_view name) override;
  bool is_callable() const override { return false; }
  Value call(Context&, Arguments) override { fail("'Namespace' object is not callable"); }
  std::string written(Work& work, int depth) const override;
  void set(std::string_view name, Value value);
  void clear() { members_.clear(); }

 private:
  std::vector<std::pair<std::string, Value>> members_;
};

}  // namespace eyrie::jinja
