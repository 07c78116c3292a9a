// io/safetensors.h: safetensors files, read through a memory map and written to disk. Format: 8 bytes header length,
// JSON header, data. Reading trusts nothing: lengths, offsets, overlaps, dtypes and shapes are checked once, at open.
// Errors: Error{file} with path, tensor, expected and found. Dtypes: F32 F16 BF16 I64 I32 BOOL U8; tensors of others
// (FP8, I16, whatever comes) stand beside them and trouble nobody who does not ask for them.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace eyrie {

class MappedFile;

// A tensor of a dtype that no op takes, or of more dimensions.
struct OtherTensor {
  std::string dtype;  // as the file spells it
  std::vector<int64_t> shape;
  std::span<const unsigned char> bytes;
};

class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  const std::string& path() const { return path_; }
  const std::map<std::string, ConstTensor>& tensors() const { return tensors_; }  // live as long as this or a copy
  const std::map<std::string, OtherTensor>& others() const { return others_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const ConstTensor* find(const std::string& name) const;
  const ConstTensor& at(const std::string& name) const;  // or Error naming the tensor
  bool holds(const std::string& name) const { return tensors_.contains(name) || others_.contains(name); }

 private:
  void add(const std::string& name, ConstTensor tensor);
  std::string path_;
  std::shared_ptr<const MappedFile> map_;
  std::vector<std::shared_ptr<void>> aligned_copies_;  // of tensors that begin where their type may not
  std::map<std::string, ConstTensor> tensors_;
  std::map<std::string, OtherTensor> others_;
  std::map<std::string, std::string> metadata_;
};

// The weights of a Hugging Face directory: model.safetensors, or the shards of model.safetensors.index.json, or else
// every *.safetensors. A directory that only holds pickles (*.bin, *.pt) is refused with the line that converts it.
class WeightFiles {
 public:
  static WeightFiles open(const std::string& directory);
  const std::string& directory() const { return directory_; }
  const std::map<std::string, ConstTensor>& tensors() const { return tensors_; }
  const std::map<std::string, OtherTensor>& others() const { return others_; }
  const ConstTensor* find(const std::string& name) const;
  bool holds(const std::string& name) const { return tensors_.contains(name) || others_.contains(name); }
  // The values of a tensor that is held, of any integer type or bool. Error{file} when it has another type.
  std::vector<int64_t> integers(const std::string& name) const;
  const std::string& file_of(const std::string& name) const;  // the path of the file that holds it

 private:
  void add(const std::string& path);
  void add_shards(const std::string& index_path);
  std::string directory_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, ConstTensor> tensors_;
  std::map<std::string, OtherTensor> others_;
};

struct NamedTensor {
  std::string name;
  ConstTensor tensor;  // contiguous
};
// Written in the order given, wider types first so that every tensor is aligned, and fsynced. Error{file} with the
// reason of the system when the disk is full.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace eyrie
