// model/weights.h: the tensors of a model taken from its files by name and checked: Error{file} with the directory, the
// tensor, what was expected and what was found. Matrices stay mapped as they are stored (f32, bf16, f16); vectors
// become f32 copies, which every loop reads.
#pragma once
#include <deque>
#include <optional>
#include <set>
#include <span>

#include "io/safetensors.h"
#include "tensor/buffer.h"

namespace eyrie {

class WeightStorage {
 public:
  explicit WeightStorage(const std::string& directory) : files_(WeightFiles::open(directory)) {}
  const WeightFiles& files() const { return files_; }

  // The first of `names` that the files hold, whatever its type; empty when none.
  std::string find(std::span<const std::string> names) const;
  // The same, its shape and dtype checked, and that its values are finite. A size of -1 in `expected` fits any.
  ConstTensor take(std::span<const std::string> names, const Shape& expected);
  ConstTensor take(const std::string& name, const Shape& expected) { return take(std::span(&name, 1), expected); }
  // The first of `names` that the files hold, its values; none when they hold none of them.
  std::optional<std::vector<int64_t>> take_integers(std::span<const std::string> names);
  // A converted copy that lives as long as this does.
  ConstTensor keep(Buffer copy) { return copies_.emplace_back(std::move(copy)); }
  // What nobody took, ascending.
  std::vector<std::string> unread() const;

 private:
  WeightFiles files_;
  std::set<std::string> taken_;
  std::deque<Buffer> copies_;
};

// 16 hexadecimal digits of names, dtypes, shapes and a sample of the bytes of every tensor.
std::string fingerprint(const WeightFiles& files);
bool is_draft_weights(const WeightFiles& files);  // they have fc.weight

}  // namespace eyrie
