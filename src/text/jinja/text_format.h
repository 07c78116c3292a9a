// text/jinja/text_format.h: "%s" % value, "{}".format(values) and the padding that both share.
#pragma once
#include <string>
#include <string_view>

#include "text/jinja/object.h"
#include "text/jinja/value.h"

namespace eyrie::jinja {

Value percent_format(Work& work, const Value& format, const Value& values);
Value brace_format(Context& context, const Value& format, const Arguments& arguments);

// Filled up to `width` characters: '<', '>', '^', or '|', which is str.center's way to halve an odd rest.
std::string padded(Work& work, std::string_view text, int64_t width, std::string_view fill, char side);

}  // namespace eyrie::jinja
