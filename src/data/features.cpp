#include "data/features.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/json.h"
#include "tensor/buffer.h"
#include "tensor/finite.h"
#include "tensor/packed.h"

namespace eyrie {
namespace {

constexpr const char* kFormatVersion = "1";

const ConstTensor& checked(const SafetensorsFile& file, const char* name, const Shape& shape,
                           std::initializer_list<DType> dtypes) {
  const ConstTensor& tensor = file.at(name);
  at_place(file.path(), [&] {
    expect_dtype(name, tensor, dtypes);
    expect_shape(name, tensor, shape);
  });
  return tensor;
}

ConstTensor read_states(const SafetensorsFile& file, const char* name, int64_t tokens) {
  const ConstTensor& states = checked(file, name, {tokens, -1}, {DType::f32, DType::bf16, DType::f16});
  if (const std::string problem = why_not_finite(states); !problem.empty())
    throw Error(ErrorKind::file, file.path() + ": " + name, problem);
  return states;
}

std::vector<int32_t> read_ids(const SafetensorsFile& file) {
  const ConstTensor& tensor = checked(file, "input_ids", {-1}, {DType::i64});
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < tensor.dim(0); ++t) {
    const int64_t id = tensor.as<int64_t>()[t];
    if (id < 0 || id > INT32_MAX)
      throw Error(ErrorKind::file, file.path(), fmt::format("input_ids[{}]: expected a token id, found {}", t, id));
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

std::vector<uint8_t> read_loss_mask(const SafetensorsFile& file, int64_t tokens) {
  const ConstTensor& tensor = checked(file, "loss_mask", {tokens}, {DType::u8, DType::boolean});
  const auto* bytes = static_cast<const uint8_t*>(tensor.data);
  for (int64_t t = 0; t < tokens; ++t)
    if (bytes[t] > 1)
      throw Error(ErrorKind::file, file.path(), fmt::format("loss_mask[{}]: expected 0 or 1, found {}", t, bytes[t]));
  return std::vector<uint8_t>(bytes, bytes + tensor.bytes());
}

FeatureInfo read_info(const SafetensorsFile& file) {
  FeatureInfo info;
  const auto value = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  const std::string version = value("format_version");
  if (!version.empty() && version != kFormatVersion)
    throw Error(ErrorKind::file, file.path(),
                fmt::format("format_version: expected {}, found {}", kFormatVersion, version));
  info.target_fingerprint = value("target_fingerprint");
  info.tokenizer_hash = value("tokenizer_hash");
  info.template_hash = value("template_hash");
  info.template_date = value("template_date");
  if (const std::string ids = value("tap_ids"); !ids.empty()) {
    const std::string place = file.path() + ": tap_ids";
    at_place(place, [&] {
      const Json array = Json::parse(ids, place);
      for (const Json& id : array.as_array()) info.tap_ids.push_back(id.as_integer(0));
    });
  }
  return info;
}

std::vector<int32_t> read_cu_seqlens(const SafetensorsFile& file, int64_t tokens) {
  const ConstTensor& tensor = checked(file, "cu_seqlens", {-1}, {DType::i32});
  const std::vector<int32_t> offsets(tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.dim(0));
  at_place(file.path(), [&] { expect_packed(offsets, tokens); });
  return offsets;
}

}  // namespace

FeatureBatch read_features(const std::string& path) {
  FeatureBatch batch{SafetensorsFile::open(path), {}, {}, {}, {}};
  batch.tokens.input_ids = read_ids(batch.file);
  const int64_t tokens = batch.tokens.tokens();
  batch.taps = read_states(batch.file, "aux_hidden_states", tokens);
  batch.last_hidden = read_states(batch.file, "last_hidden_states", tokens);
  batch.tokens.loss_mask = read_loss_mask(batch.file, tokens);
  batch.tokens.cu_seqlens = read_cu_seqlens(batch.file, tokens);
  batch.info = read_info(batch.file);
  return batch;
}

std::string feature_file_name(int64_t index) { return fmt::format("features-{:05}.safetensors", index); }

std::vector<std::string> feature_files(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("features-") && name.ends_with(".safetensors")) paths.push_back(entry.path().string());
  }
  if (paths.empty())
    throw Error(
        ErrorKind::file, directory,
        "expected a directory of files features-*.safetensors" + (error ? ": " + error.message() : ", found none"));
  std::sort(paths.begin(), paths.end());
  return paths;
}

void write_features(const std::string& path, const FeatureTensors& features, const FeatureInfo& info) {
  const PackedBatch& tokens = features.tokens;
  const std::vector<int64_t> ids(tokens.input_ids.begin(), tokens.input_ids.end());
  std::vector<NamedTensor> tensors = {
      {"input_ids", {ids.data(), DType::i64, {tokens.tokens()}}},
      {"cu_seqlens", {tokens.cu_seqlens.data(), DType::i32, {tokens.sequences() + 1}}},
      {"loss_mask", {tokens.loss_mask.data(), DType::u8, {tokens.tokens()}}},
      {"aux_hidden_states", features.taps},
      {"last_hidden_states", features.last_hidden},
  };
  tensors.insert(tensors.end(), features.extra.begin(), features.extra.end());
  write_safetensors(path, tensors,
                    {{"format_version", kFormatVersion},
                     {"target_fingerprint", info.target_fingerprint},
                     {"tap_ids", fmt::format("[{}]", fmt::join(info.tap_ids, ", "))},
                     {"tokenizer_hash", info.tokenizer_hash},
                     {"template_hash", info.template_hash},
                     {"template_date", info.template_date}});
}

}  // namespace eyrie
