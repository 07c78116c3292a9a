// The functions that templates find beside their variables.
#include <fmt/core.h>

#include <array>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"

namespace eyrie::jinja {
namespace {

Value range(Context& context, const Value&, const Bound& arguments) {
  const bool has_begin = arguments.has(1);
  const int64_t begin = has_begin ? arguments.whole(0, 0) : 0, end = arguments.whole(has_begin ? 1 : 0, 0);
  const int64_t step = arguments.whole(2, 1);
  if (step == 0) fail("range() arg 3 must not be zero");
  // In 128 bits no difference wraps.
  const auto distance = static_cast<__int128>(step > 0 ? end : begin) - (step > 0 ? begin : end);
  const auto stride = step > 0 ? static_cast<__int128>(step) : -static_cast<__int128>(step);
  const __int128 count = distance <= 0 ? 0 : (distance + stride - 1) / stride;
  if (count > static_cast<__int128>(kMostItems)) fail(fmt::format("a range of more than {} numbers", kMostItems));
  Values numbers;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) numbers.push_back(begin + i * step);
  std::string label =
      step == 1 ? fmt::format("range({}, {})", begin, end) : fmt::format("range({}, {}, {})", begin, end, step);
  return make_sequence(context.work, Sequence::Kind::range, std::move(numbers), std::move(label));
}

// dict(pairs or a dict, name=value, ...)
std::vector<Pair> pairs_from(Context& context, const Arguments& arguments) {
  if (arguments.positional.size() > 1) fail("dict: expected at most one value by position");
  std::vector<Pair> pairs;
  if (!arguments.positional.empty() && arguments.positional[0].is_dictionary()) {
    pairs = arguments.positional[0].dictionary().pairs();
  } else if (!arguments.positional.empty()) {
    for (const Value& item : items_of(context.work, arguments.positional[0])) {
      const Values both = items_of(context.work, item);
      if (both.size() != 2) fail("dict: expected pairs");
      pairs.emplace_back(both[0], both[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) pairs.emplace_back(name, value);
  return pairs;
}

Value dictionary(Context& context, const Value&, const Bound& arguments) {
  return make_dictionary(context.work, pairs_from(context, arguments.any()));
}

Value namespace_of(Context& context, const Value&, const Bound& arguments) {
  std::vector<std::pair<std::string, Value>> members;
  const Dictionary given(context.work, pairs_from(context, arguments.any()));
  for (const auto& [name, value] : given.pairs())
    if (name.is_text()) members.emplace_back(name.text(), value);
  return Value(std::shared_ptr<Object>(std::make_shared<Namespace>(std::move(members))));
}

Value raise_exception(Context& context, const Value&, const Bound& arguments) {
  fail(written(context.work, arguments[0]));
}

// As Python's datetime without a time zone: %f, %z and %Z are its own, the rest is the C library's.
Value now_as_text(Context& context, const Value&, const Bound& arguments) {
  std::string format;
  const std::string& asked = arguments.text(0, "");
  for (size_t at = 0; at < asked.size(); ++at) {
    const char next = asked[at] == '%' && at + 1 < asked.size() ? asked[at + 1] : '\0';
    if (next == 'f') format += "000000";
    if (next != 'f' && next != 'z' && next != 'Z') format += asked[at];
    if (next != '\0' && next != 'f' && next != 'z' && next != 'Z') format += next;
    at += next != '\0';
  }
  if (format.size() > 1000) fail("strftime_now: the format is longer than 1000 bytes");
  std::array<char, 64 << 10> buffer;
  const size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &context.now);
  return make_text(context.work, std::string(buffer.data(), size));
}

class Cycler : public Object {
 public:
  explicit Cycler(Values items) : items_(std::move(items)) {
    for (const Value& item : items_) depth_ = deeper_than(depth_, item);
  }
  std::optional<Value> attribute(Context&, std::string_view name) override;
  bool is_callable() const override { return false; }
  int depth() const override { return depth_; }
  Value call(Context&, Arguments) override { fail("'Cycler' object is not callable"); }

 private:
  Values items_;
  std::shared_ptr<size_t> place_ = std::make_shared<size_t>(0);
  int depth_ = 0;
};

std::optional<Value> Cycler::attribute(Context&, std::string_view name) {
  if (name == "current") return items_[*place_];
  if (name == "next")
    return make_function(
        [items = items_, place = place_](Context&, Arguments) {
          const Value item = items[*place];
          *place = (*place + 1) % items.size();
          return item;
        },
        depth_);
  if (name == "reset")
    return make_function([place = place_](Context&, Arguments) {
      *place = 0;
      return Value::none();
    });
  return std::nullopt;
}

Value cycler(Context&, const Value&, const Bound& arguments) {
  if (arguments.any().positional.empty() || !arguments.any().named.empty()) fail("cycler: at least one item is needed");
  return Value(std::shared_ptr<Object>(std::make_shared<Cycler>(arguments.any().positional)));
}

Value joiner(Context&, const Value&, const Bound& arguments) {
  return make_function([between = arguments.text(0, ", "), used = false](Context&, Arguments) mutable {
    return std::exchange(used, true) ? Value(between) : Value("");
  });
}

constexpr Builtin kFunctions[] = {
    {"cycler", "*", 0, cycler},
    {"dict", "*", 0, dictionary},
    {"joiner", "sep", 0, joiner},
    {"namespace", "*", 0, namespace_of},
    {"raise_exception", "message", 1, raise_exception},
    {"range", "- - -", 1, range},
    {"strftime_now", "format", 1, now_as_text},
};

}  // namespace

const Builtin* find_function(std::string_view name) { return find_builtin(kFunctions, name); }

}  // namespace eyrie::jinja
