#include "data/json_lines.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "base/counted.h"
#include "base/error.h"
#include "base/log.h"
#include "io/descriptor.h"

namespace eyrie {
namespace {

constexpr size_t kNamed = 3;

// What people have beside JSONL: how it begins, what it is, and the line that converts it.
struct OtherForm {
  std::string_view begins, name, conversion;
};
constexpr OtherForm kOtherForms[] = {
    {"\x1f\x8b", "gzip", "zcat {0} > {1}"},
    {"\x28\xb5\x2f\xfd", "zstd", "zstd -dc {0} > {1}"},
    {"PAR1", "Parquet",
     "python3 -c \"import pandas, sys; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient='records', "
     "lines=True)\" {0} {1}"},
    {"[", "a JSON array", "jq -c '.[]' {0} > {1}"},
};

// "data.json" and "data.jsonl.gz" become data.jsonl, and nothing becomes itself.
std::string converted_name(const std::string& path) {
  std::filesystem::path name = path;
  name.replace_extension();
  if (name.extension() != ".jsonl") name += ".jsonl";
  return name == path ? path + ".jsonl" : name.string();
}

// As a shell takes it.
std::string quoted(const std::string& path) {
  constexpr std::string_view kPlain = "/._-+=,:@%";
  const auto is_plain = [&](char c) { return std::isalnum(static_cast<uint8_t>(c)) || kPlain.find(c) != kPlain.npos; };
  if (std::all_of(path.begin(), path.end(), is_plain)) return path;
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

void expect_json_line(std::string_view first, const std::string& path) {
  first.remove_prefix(first.find_first_not_of(" \t\r"));
  for (const OtherForm& form : kOtherForms)
    if (first.starts_with(form.begins))
      throw Error(ErrorKind::usage, path,
                  fmt::format("is {}, expected JSONL (one object a line): {}", form.name,
                              fmt::format(fmt::runtime(form.conversion), quoted(path), quoted(converted_name(path)))));
}

// `each` gets the number of a line and its text.
void for_each_line(std::istream& lines, const std::string& place,
                   const std::function<void(int64_t line, const std::string& text)>& each) {
  std::string text;
  for (int64_t line = 1; std::getline(lines, text); ++line)
    if (text.find_first_not_of(" \t\r") != std::string::npos) each(line, text);
  if (lines.bad()) throw system_error(place, "cannot be read");
}

// An error of a line gets its place.
void visit_line(const std::string& place, int64_t line, const std::string& text,
                const std::function<void(const Json&)>& visit) {
  const Json json = Json::parse(text, place, line);
  try {
    visit(json);
  } catch (const Error& error) {
    const std::string what = error.what();
    if (error.kind() != ErrorKind::input && error.kind() != ErrorKind::file) throw;
    throw Error(ErrorKind::file, place_of_line(place, line),
                what.starts_with(place + ": ") ? what.substr(place.size() + 2) : what);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::device, place_of_line(place, line), fmt::format("out of memory at {} bytes", text.size()));
  }
}

std::ifstream opened(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw system_error(path, "cannot be opened");
  return file;
}

}  // namespace

std::string text_or_json(const Json& value) { return value.is_text() ? value.as_text() : value.dump(); }

void for_each_json_line(std::istream& lines, const std::string& place, const std::function<void(const Json&)>& visit) {
  for_each_line(lines, place, [&](int64_t line, const std::string& text) { visit_line(place, line, text, visit); });
}

void for_each_json_line(const std::string& path, const std::function<void(const Json&)>& visit) {
  std::ifstream file = opened(path);
  for_each_json_line(file, path, visit);
}

void UnfitLines::expect_few(const std::string& path, double share) const {
  if (unfit == 0) return;
  const double found = static_cast<double>(unfit) / static_cast<double>(lines);
  const std::string named =
      fmt::format("{} of {}: {}{}", unfit, counted(lines, "line does not fit", "lines do not fit"),
                  fmt::join(first, "; "), unfit > static_cast<int64_t>(first.size()) ? "; …" : "");
  if (found > share)
    throw Error(ErrorKind::file, path,
                fmt::format("{} ({:.3g} %, --bad-lines allows {:.3g} %)", named, 100 * found, 100 * share));
  log_warning(fmt::format("{}: {}: passed over", path, named));
}

UnfitLines for_each_fit_line(const std::string& path, const std::function<void(const Json&, int64_t line)>& visit,
                             const std::function<void(const std::string& why)>& unfit) {
  std::ifstream file = opened(path);
  UnfitLines found;
  for_each_line(file, path, [&](int64_t line, const std::string& text) {
    if (found.lines++ == 0) expect_json_line(text, path);
    try {
      visit_line(path, line, text, [&](const Json& json) { visit(json, line); });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::file) throw;
      ++found.unfit;
      if (found.first.size() < kNamed) found.first.emplace_back(error.what());
      if (unfit) unfit(error.what());
    }
  });
  return found;
}

}  // namespace eyrie
