// text/jinja/loop.h: `loop`. Items are filtered when they are asked for, as jinja's: the condition may read what the
// body wrote.
#pragma once
#include <functional>

#include "text/jinja/builtins.h"

namespace eyrie::jinja {

struct Loop : Object {
  Loop(Values items, std::function<bool(const Value&)> passes) : items_(std::move(items)), passes_(std::move(passes)) {}

  // Goes to the next item; null behind the last.
  const Value* next() { return at(++index_); }

  std::optional<Value> attribute(Context& context, std::string_view name) override {
    if (name == "index") return int64_t{index_ + 1};
    if (name == "index0") return int64_t{index_};
    if (name == "first") return index_ == 0;
    if (name == "last") return !at(index_ + 1);
    if (name == "length") return length();
    if (name == "revindex") return length() - index_;
    if (name == "revindex0") return length() - index_ - 1;
    if (name == "previtem" || name == "nextitem") {
      const Value* item = at(name == "previtem" ? index_ - 1 : index_ + 1);
      return item ? *item : Value::undefined("there is no such item");
    }
    if (name == "cycle") return make_function(context, [this](Context&, Arguments given) { return cycle(given); });
    return std::nullopt;
  }

 private:
  const Value* at(int64_t place) {
    while (std::ssize(passed_) <= place && asked_ < items_.size()) {
      const Value& item = items_[asked_++];
      if (!passes_ || passes_(item)) passed_.push_back(item);
    }
    return place >= 0 && place < std::ssize(passed_) ? &passed_[static_cast<size_t>(place)] : nullptr;
  }

  int64_t length() { return at(INT64_MAX), std::ssize(passed_); }

  Value cycle(const Arguments& given) const {
    if (given.positional.empty()) fail("loop.cycle() without items");
    return given.positional[static_cast<size_t>(index_) % given.positional.size()];
  }

  const Values items_;
  const std::function<bool(const Value&)> passes_;  // none: every item
  size_t asked_ = 0;
  Values passed_;
  int64_t index_ = -1;
};

}  // namespace eyrie::jinja
