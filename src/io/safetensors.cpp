#include "io/safetensors.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/named.h"
#include "io/atomic_dir.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "tensor/buffer.h"

namespace eyrie {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and mapped as it is");

constexpr uint64_t kLengthBytes = 8, kMaxHeaderBytes = 100'000'000, kDataAlignment = 64;
constexpr const char* kMetadata = "__metadata__";

struct FormatDType {
  const char* name;
  DType dtype;
};
constexpr FormatDType kDTypes[] = {{"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16},
                                   {"I64", DType::i64}, {"I32", DType::i32}, {"BOOL", DType::boolean},
                                   {"U8", DType::u8}};

// One entry of the header; [begin, end) counts from the first byte after the header.
struct Entry {
  std::string name, dtype;
  std::vector<int64_t> shape;
  int64_t begin, end;
  size_t bytes() const { return static_cast<size_t>(end - begin); }
};

Error bad_file(const std::string& path, const std::string& message) { return {ErrorKind::file, path, message}; }

std::string_view header_text(const std::string& path, std::span<const unsigned char> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto refuse = [&](const std::string& found) {
    const std::string other = stand_in(text);
    throw bad_file(path, other.empty() ? "not a safetensors file: " + found : other);
  };
  uint64_t length = 0;
  if (bytes.size() < kLengthBytes) refuse(fmt::format("{} bytes, expected at least {}", bytes.size(), kLengthBytes));
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) refuse(fmt::format("header of {} bytes, expected at most {}", length, kMaxHeaderBytes));
  if (length > bytes.size() - kLengthBytes)
    throw bad_file(path, fmt::format("truncated: header of {} bytes, found {}", length, bytes.size() - kLengthBytes));
  return text.substr(kLengthBytes, length);
}

// Bytes of the tensor, or -1 when they do not fit 64 bits.
int64_t checked_bytes(DType dtype, const std::vector<int64_t>& shape) {
  int64_t bytes = size_bytes(dtype);
  for (const int64_t size : shape)
    if (__builtin_mul_overflow(bytes, size, &bytes)) return -1;
  return bytes;
}

Entry read_entry(const std::string& name, const Json& fields) {
  Entry entry{name, fields.text("dtype"), {}, 0, 0};
  for (const Json& size : fields.array("shape")) entry.shape.push_back(size.as_integer(0));
  const Json::Array& offsets = fields.array("data_offsets");
  if (offsets.size() != 2)
    throw Error(ErrorKind::file, "data_offsets", fmt::format("expected two numbers, found {}", offsets.size()));
  entry.begin = offsets[0].as_integer(0);
  entry.end = offsets[1].as_integer(0);
  const FormatDType* known = find_named(kDTypes, entry.dtype);
  const int64_t bytes =
      known ? checked_bytes(known->dtype, entry.shape) : std::max<int64_t>(entry.end - entry.begin, 0);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    throw Error(ErrorKind::file, "data_offsets",
                fmt::format("{} [{}] needs {} bytes, found [{}, {}]", entry.dtype, fmt::join(entry.shape, ", "),
                            bytes < 0 ? "more than 64 bits of" : std::to_string(bytes), entry.begin, entry.end));
  return entry;
}

Shape shape_of(const Entry& entry) {
  Shape shape;
  for (const int64_t size : entry.shape) shape.dims[shape.rank++] = size;
  return shape;
}

// Calls read(name, value) for the members of the header; errors get the path and the name.
template <typename Read>
void for_each_member(const std::string& path, std::string_view text, const Read& read) {
  std::string member;
  try {
    const Json header = Json::parse(text, "header");
    for (const auto& [name, fields] : header.as_members()) {
      member = name == kMetadata ? name + ": " : "tensor " + name + ": ";
      read(name, fields);
    }
  } catch (const Error& error) {
    throw bad_file(path, member + error.what());
  }
}

// The tensors lie end to end and fill the data: a gap, an overlap or a byte too many means that the header or the
// file is not what was written.
void check_layout(const std::string& path, std::vector<Entry>& entries, int64_t data_bytes) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  int64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.end > data_bytes)
      throw bad_file(path, fmt::format("tensor {}: data_offsets [{}, {}] lie outside the {} bytes of data (truncated?)",
                                       entry.name, entry.begin, entry.end, data_bytes));
    if (entry.begin != end)
      throw bad_file(path,
                     fmt::format("tensor {}: data_offsets begin at {}, expected {} where the tensor before it ends",
                                 entry.name, entry.begin, end));
    end = entry.end;
  }
  if (end != data_bytes)
    throw bad_file(path, fmt::format("the tensors end at byte {} of the data, found {} bytes", end, data_bytes));
}

std::string format_name(DType dtype) {
  for (const FormatDType& each : kDTypes)
    if (dtype == each.dtype) return each.name;
  throw Error(ErrorKind::internal, "safetensors", fmt::format("{} has no name in the format", name(dtype)));
}

std::vector<NamedTensor> wider_types_first(std::span<const NamedTensor> tensors) {
  std::vector<NamedTensor> sorted(tensors.begin(), tensors.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return size_bytes(a.tensor.dtype) > size_bytes(b.tensor.dtype);
  });
  return sorted;
}

Json header_of(const std::vector<NamedTensor>& tensors, const std::map<std::string, std::string>& metadata) {
  Json::Members members, notes;
  for (const auto& [key, value] : metadata) notes.emplace_back(key, value);
  if (!notes.empty()) members.emplace_back(kMetadata, Json::object(std::move(notes)));
  int64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    Json::Array shape;
    for (int i = 0; i < tensor.rank(); ++i) shape.emplace_back(tensor.dim(i));
    Json fields = Json::object();
    fields.set("dtype", format_name(tensor.dtype)).set("shape", std::move(shape));
    fields.set("data_offsets", Json::Array{offset, offset + tensor.bytes()});
    members.emplace_back(name, std::move(fields));
    offset += tensor.bytes();
  }
  return Json::object(std::move(members));
}

void check_writable(std::span<const NamedTensor> tensors) {
  std::set<std::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata || !names.insert(name).second)
      throw Error(ErrorKind::internal, "safetensors", fmt::format("the name {} cannot be written twice", name));
    if (!tensor.contiguous())
      throw Error(ErrorKind::internal, "safetensors", fmt::format("tensor {}: expected contiguous elements", name));
  }
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  SafetensorsFile file;
  file.path_ = path;
  file.map_ = std::make_shared<MappedFile>(path);
  const std::span<const unsigned char> bytes = file.map_->bytes();
  const std::string_view text = header_text(path, bytes);
  std::vector<Entry> entries;
  for_each_member(path, text, [&](const std::string& name, const Json& fields) {
    if (name != kMetadata) return entries.push_back(read_entry(name, fields));
    if (fields.is_null()) return;
    for (const auto& [key, value] : fields.as_members()) file.metadata_[key] = value.as_text();
  });
  const std::span<const unsigned char> data = bytes.subspan(kLengthBytes + text.size());
  check_layout(path, entries, static_cast<int64_t>(data.size()));
  for (Entry& entry : entries) {
    const FormatDType* known = find_named(kDTypes, entry.dtype);
    const std::span<const unsigned char> own = data.subspan(static_cast<size_t>(entry.begin), entry.bytes());
    if (known && entry.shape.size() <= static_cast<size_t>(kMaxRank))
      file.add(entry.name, ConstTensor(own.data(), known->dtype, shape_of(entry)));
    else
      file.others_[entry.name] = {std::move(entry.dtype), std::move(entry.shape), own};
  }
  return file;
}

// Another writer's header may leave data where a float may not be read; it is copied then.
void SafetensorsFile::add(const std::string& name, ConstTensor tensor) {
  if (reinterpret_cast<uintptr_t>(tensor.data) % static_cast<uintptr_t>(size_bytes(tensor.dtype)) != 0) {
    const std::shared_ptr<void> copied(allocate_bytes(tensor.bytes()));
    std::memcpy(copied.get(), tensor.data, static_cast<size_t>(tensor.bytes()));
    tensor.data = copied.get();
    aligned_copies_.push_back(copied);
  }
  tensors_[name] = tensor;
}

const ConstTensor* SafetensorsFile::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const ConstTensor& SafetensorsFile::at(const std::string& name) const {
  const ConstTensor* tensor = find(name);
  if (const auto other = others_.find(name); other != others_.end())
    throw bad_file(path_,
                   fmt::format("tensor {}: expected one of {} of at most {} dimensions, found {} of {}", name,
                               names_of(kDTypes, " "), kMaxRank, other->second.dtype, other->second.shape.size()));
  if (!tensor) throw bad_file(path_, fmt::format("missing tensor {}", name));
  return *tensor;
}

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  check_writable(tensors);
  const std::vector<NamedTensor> sorted = wider_types_first(tensors);
  std::string header = header_of(sorted, metadata).dump();
  header.resize((header.size() + kLengthBytes + kDataAlignment - 1) / kDataAlignment * kDataAlignment - kLengthBytes,
                ' ');
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), kLengthBytes});
  file.write(header);
  for (const NamedTensor& each : sorted)
    file.write({static_cast<const char*>(each.tensor.data), static_cast<size_t>(each.tensor.bytes())});
  file.commit();
}

}  // namespace eyrie
