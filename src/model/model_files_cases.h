// model/model_files_cases.h: for tests: model directories made from a config's text, and what reading them says.
#pragma once
#include <functional>
#include <string>

#include "io/safetensors.h"
#include "model/draft.h"
#include "testing/poison.h"
#include "testing/temporary_directory.h"

namespace eyrie {

// A small Llama target: 7 layers, hidden 8, 11 tokens; a small draft for it with 5 draft tokens.
extern const char* const kSmallTarget;
extern const char* const kSmallDraft;

// `json` (an object) with the members of `changes` set in it.
std::string changed(const std::string& json, const std::string& changes);
std::string without(const std::string& json, const std::string& key);

struct ModelDirectory {
  explicit ModelDirectory(const std::string& config) { write("config.json", config); }
  void write(const std::string& file, const std::string& text) { testing::write_bytes(directory.file(file), text); }
  const std::string& path() const { return directory.path(); }
  testing::TemporaryDirectory directory;
};

// What(), with the directory's path written as DIR; empty when nothing was thrown.
std::string error_of(const ModelDirectory& directory, const std::function<void()>& call);
std::string target_config_error(const std::string& config);
std::string draft_config_error(const std::string& config);

// The tensors of a file, to be changed before they are written.
class TensorFile {
 public:
  explicit TensorFile(const std::string& seed) : memory_(seed) {}
  void add(const std::string& name, const Shape& shape, DType dtype = DType::f32);  // normal, or zeros when not float
  void set(const std::string& name, const ConstTensor& tensor) { tensors_[name] = tensor; }
  void remove(const std::string& name) { tensors_.erase(name); }
  const ConstTensor& at(const std::string& name) const { return tensors_.at(name); }
  void rename(const std::string& from, const std::string& to);
  void write(const ModelDirectory& directory) const;

 private:
  testing::CaseMemory memory_;
  std::map<std::string, ConstTensor> tensors_;
};
TensorFile target_file(const ModelDirectory& directory, const std::string& seed);
// With d2t and t2d when the draft vocabulary is smaller: target ids 0, 2, 4, ...
TensorFile draft_file(const ModelDirectory& directory, const std::string& seed);

}  // namespace eyrie
