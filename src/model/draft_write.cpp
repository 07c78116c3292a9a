#include <deque>
#include <filesystem>

#include "io/atomic_dir.h"
#include "io/safetensors.h"
#include "model/config_keys.h"
#include "model/draft.h"

namespace eyrie {
namespace {

// The list of what goes into the file; converted copies live in `memory`.
std::vector<NamedTensor> tensors_of(const DraftExport& in, std::deque<Buffer>& memory) {
  std::vector<NamedTensor> list;
  const auto add = [&](const std::string& name, const ConstTensor& tensor) {
    const bool as_it_is = tensor.dtype == in.dtype && tensor.contiguous();
    list.push_back({name, as_it_is ? tensor : ConstTensor(memory.emplace_back(Buffer::copy_of(tensor, in.dtype)))});
  };
  for_each_tensor(in.config, in.tensors,
                  [&](const std::string& name, const Shape&, const ConstTensor& tensor) { add(name, tensor); });
  if (in.embedding.defined()) add("embed_tokens.weight", in.embedding);
  const DraftVocabulary& vocabulary = in.vocabulary;
  if (vocabulary.d2t.empty()) return list;
  list.push_back({"d2t", {vocabulary.d2t.data(), DType::i64, {static_cast<int64_t>(vocabulary.d2t.size())}}});
  list.push_back({"t2d", {vocabulary.t2d.data(), DType::boolean, {static_cast<int64_t>(vocabulary.t2d.size())}}});
  return list;
}

}  // namespace

void write_draft(const std::string& directory, const DraftExport& in) {
  const std::filesystem::path path(directory);
  Json config = write_draft_config(in.config, in.reader);
  config.set("torch_dtype", torch_dtype(in.dtype));
  std::deque<Buffer> memory;
  write_safetensors(path / "model.safetensors", tensors_of(in, memory), {{"format", "pt"}});
  write_file_atomically(path / "config.json", config.dump(2) + "\n");
}

}  // namespace eyrie
