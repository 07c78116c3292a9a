#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/named.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace eyrie {
namespace fs = std::filesystem;
namespace {

constexpr const char *kSingle = "model.safetensors", *kIndex = "model.safetensors.index.json";

// Names in the directory with one of the endings, sorted.
std::vector<std::string> names_ending_in(const std::string& directory,
                                         std::initializer_list<std::string_view> endings) {
  std::vector<std::string> names;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, problem)) {
    const std::string name = entry.path().filename();
    if (std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return name.ends_with(ending); }))
      names.push_back(name);
  }
  if (problem) throw Error(ErrorKind::file, directory, problem.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return "[" + text + "]";
}

Error no_weights(const std::string& directory) {
  std::vector<std::string> pickles = names_ending_in(directory, {".bin", ".pt", ".pth"});
  std::erase_if(pickles, [](const std::string& name) {
    return name.starts_with("training_args") || name.starts_with("optimizer") || name.starts_with("scheduler");
  });
  if (pickles.empty())
    return {ErrorKind::file, directory,
            fmt::format("expected {}, {} or other *.safetensors, found none", kSingle, kIndex)};
  return {
      ErrorKind::file, directory,
      fmt::format("{} is a pickle, which can run code when it is read; in that directory, convert it with: python3 -c "
                  "\"import torch; from safetensors.torch import save_file; save_file({{name: "
                  "tensor.clone().contiguous() for file in {} for name, tensor in torch.load(file, "
                  "map_location='cpu', weights_only=True).items()}}, '{}', {{'format': 'pt'}})\"",
                  pickles.front(), quoted_list(pickles), kSingle)};
}

// The shards that the index names, and a check that each is a plain file name.
std::set<std::string> shards_of(const Json& index, const std::string& index_path) {
  std::set<std::string> shards;
  const Json& map = at_place(index_path, [&]() -> const Json& { return index.at("weight_map"); });
  at_place(index_path + ": weight_map", [&] { map.as_members(); });
  for (const auto& [tensor, shard] : map.as_members()) {
    const std::string name = at_place(index_path + ": tensor " + tensor, [&] { return shard.as_text(); });
    if (name.empty() || fs::path(name).filename() != name || name == "." || name == "..")
      throw Error(ErrorKind::file, index_path,
                  fmt::format("tensor {}: expected a file name, found \"{}\"", tensor, name));
    shards.insert(name);
  }
  return shards;
}

template <typename T>
std::vector<int64_t> widened(const void* data, size_t bytes) {
  std::vector<int64_t> values(bytes / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T value;  // wherever it begins
    std::memcpy(&value, static_cast<const unsigned char*>(data) + i * sizeof(T), sizeof(T));
    values[i] = static_cast<int64_t>(value);
  }
  return values;
}

constexpr struct {
  std::string_view name;
  std::vector<int64_t> (*read)(const void* data, size_t bytes);
} kIntegers[] = {{"i64", widened<int64_t>},  {"i32", widened<int32_t>},  {"u8", widened<uint8_t>},
                 {"bool", widened<uint8_t>}, {"U64", widened<uint64_t>}, {"U32", widened<uint32_t>},
                 {"U16", widened<uint16_t>}, {"I16", widened<int16_t>},  {"I8", widened<int8_t>}};

}  // namespace

void WeightFiles::add(const std::string& path) {
  files_.push_back(SafetensorsFile::open(path));
  const auto take_in = [&](const auto& from, auto& to) {
    for (const auto& [name, tensor] : from) {
      if (holds(name))
        throw Error(ErrorKind::file, path, fmt::format("tensor {} stands in {} too", name, file_of(name)));
      to.emplace(name, tensor);
    }
  };
  take_in(files_.back().tensors(), tensors_);
  take_in(files_.back().others(), others_);
}

// Every shard named by the index, and every tensor in the shard that it is said to be in.
void WeightFiles::add_shards(const std::string& index_path) {
  const Json index = Json::parse_file(index_path);
  for (const std::string& shard : shards_of(index, index_path)) {
    const std::string path = directory_ + "/" + shard;
    if (!fs::exists(path))
      throw Error(ErrorKind::file, index_path, fmt::format("names the shard {}, which is missing", shard));
    add(path);
  }
  for (const auto& [tensor, shard] : index.at("weight_map").as_members()) {
    const std::string path = directory_ + "/" + shard.as_text();
    const auto file =
        std::find_if(files_.begin(), files_.end(), [&](const SafetensorsFile& each) { return each.path() == path; });
    if (!file->holds(tensor)) throw Error(ErrorKind::file, path, fmt::format("missing tensor {}", tensor));
  }
}

WeightFiles WeightFiles::open(const std::string& directory) {
  WeightFiles weights;
  weights.directory_ = directory;
  if (!fs::is_directory(directory)) throw Error(ErrorKind::file, directory, "expected a directory, found none");
  if (fs::exists(directory + "/" + kSingle)) {
    weights.add(directory + "/" + kSingle);
  } else if (fs::exists(directory + "/" + kIndex)) {
    weights.add_shards(directory + "/" + kIndex);
  } else {
    for (const std::string& name : names_ending_in(directory, {".safetensors"})) weights.add(directory + "/" + name);
    if (weights.files_.empty()) throw no_weights(directory);
  }
  return weights;
}

const std::string& WeightFiles::file_of(const std::string& name) const {
  return std::ranges::find_if(files_, [&](const SafetensorsFile& file) { return file.holds(name); })->path();
}

const ConstTensor* WeightFiles::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::vector<int64_t> WeightFiles::integers(const std::string& name) const {
  const ConstTensor* tensor = find(name);
  const std::string type = tensor ? eyrie::name(tensor->dtype) : others_.at(name).dtype;
  const auto* found = find_named(kIntegers, type);
  if (!found)
    throw Error(ErrorKind::file, file_of(name) + ": " + name, fmt::format("expected integers, found {}", type));
  if (tensor) return found->read(tensor->data, static_cast<size_t>(tensor->bytes()));
  return found->read(others_.at(name).bytes.data(), others_.at(name).bytes.size());
}

}  // namespace eyrie
