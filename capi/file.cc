#include <memory>
#include <string>
#include <utility>

#include "capi/guard.h"
#include "core/io/atomic_file.h"
#include "core/io/model_file.h"
#include "core/model/convert.h"
#include "core/model/foreign_model.h"
#include "core/model/model_writer.h"
#include "core/model/source_model.h"

using namespace bnq;
using namespace bnq::capi;

struct bnq_file {
  std::shared_ptr<const ModelFile> core;
};

struct bnq_writer {
  std::unique_ptr<ModelWriter> core;
};

namespace {

static_assert(static_cast<int>(FileKind::kSafetensors) == BNQ_FILE_SAFETENSORS,
              "kind");
static_assert(static_cast<int>(FileKind::kBnq) == BNQ_FILE_BNQ, "kind");
static_assert(static_cast<int>(FileKind::kSafetensorsIndex) ==
                  BNQ_FILE_SAFETENSORS_INDEX,
              "kind");
static_assert(static_cast<int>(FileKind::kNpy) == BNQ_FILE_NPY, "kind");
static_assert(static_cast<int>(FileKind::kGguf) == BNQ_FILE_GGUF, "kind");
static_assert(static_cast<int>(FileKind::kBnqIndex) == BNQ_FILE_BNQ_INDEX,
              "kind");

// nullptr for a bad index.
const ModelEntry* EntryAt(const bnq_file* file, uint64_t index) {
  if (file == nullptr || index >= file->core->entries().size()) return nullptr;
  return &file->core->entries()[index];
}

const ModelEntry& RequiredEntry(const bnq_file* file, uint64_t index) {
  const size_t count = Required(file, "file").core->entries().size();
  if (index >= count) {
    Fail(Status::kInvalidArgument, "index = ", index, ", must be below ",
         count);
  }
  return file->core->entries()[index];
}

const ModelEntry& RequiredPlain(const bnq_file* file, uint64_t index) {
  const ModelEntry& entry = RequiredEntry(file, index);
  if (entry.format != 0) {
    Fail(Status::kUnsupported, "tensor ", Quoted(entry.name),
         " is quantized; bnq_file_tensor reads it");
  }
  return entry;
}

ModelWriter& RequiredWriter(bnq_writer* writer) {
  return *Required(writer, "writer").core;
}

}  // namespace

bnq_status bnq_file_open(bnq_context* context, const char* path, int32_t flags,
                         bnq_file** out_file) {
  return Guard([&] {
    bnq_file*& out = Output(out_file, "out_file");
    const std::string name = &Required(path, "path");
    constexpr int32_t kKnown = BNQ_OPEN_READ | BNQ_OPEN_SOURCE | BNQ_OPEN_RAW;
    constexpr int32_t kOneOf = BNQ_OPEN_SOURCE | BNQ_OPEN_RAW;
    if ((flags & ~kKnown) != 0 || (flags & kOneOf) == kOneOf) {
      Fail(Status::kInvalidArgument, "flags = ", flags,
           ", must be of BNQ_OPEN_READ (", BNQ_OPEN_READ,
           ") and either BNQ_OPEN_SOURCE (", BNQ_OPEN_SOURCE,
           ") or BNQ_OPEN_RAW (", BNQ_OPEN_RAW, ")");
    }
    Context with = ContextOf(context);
    with.map_files = with.map_files && (flags & BNQ_OPEN_READ) == 0;
    auto file = std::make_unique<bnq_file>();
    file->core = (flags & BNQ_OPEN_SOURCE) != 0 ? OpenModel(with, name)
                                                : ModelFile::Open(with, name);
    if ((flags & kOneOf) == 0) file->core = ForeignView(with, file->core);
    out = file.release();
  });
}

bnq_status bnq_file_open_memory(bnq_context* context, const void* data,
                                uint64_t bytes, bnq_file** out_file) {
  return Guard([&] {
    bnq_file*& out = Output(out_file, "out_file");
    if (bytes != 0) Required(static_cast<const char*>(data), "data");
    auto file = std::make_unique<bnq_file>();
    const Context with = ContextOf(context);
    file->core = ForeignView(with, ModelFile::FromMemory(with, data, bytes));
    out = file.release();
  });
}

void bnq_file_close(bnq_file* file) { delete file; }

int32_t bnq_file_kind(const bnq_file* file) {
  return file ? static_cast<int32_t>(file->core->kind()) : 0;
}

uint64_t bnq_file_count(const bnq_file* file) {
  return file ? file->core->entries().size() : 0;
}

bnq_status bnq_file_find(const bnq_file* file, const char* name,
                         uint64_t* out_index) {
  return Guard([&] {
    uint64_t& out = Required(out_index, "out_index");
    const ModelFile& core = *Required(file, "file").core;
    const ModelEntry* entry = core.Find(&Required(name, "name"));
    if (entry == nullptr) {
      Fail(Status::kNotFound, "there is no tensor ", Quoted(name),
           " in the file");
    }
    out = static_cast<uint64_t>(entry - core.entries().data());
  });
}

const char* bnq_file_name(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->name.c_str() : nullptr;
}

int32_t bnq_file_shape(const bnq_file* file, uint64_t index, uint64_t* shape) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? CopyShape(entry->shape, shape) : -1;
}

int32_t bnq_file_format(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->format : -1;
}

int32_t bnq_file_dtype(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->dtype : -1;
}

uint64_t bnq_file_bytes(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->raw_bytes : 0;
}

uint64_t bnq_file_stored_bytes(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->stored_bytes : 0;
}

const char* bnq_file_layout(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->layout.c_str() : nullptr;
}

const char* bnq_file_same_as(const bnq_file* file, uint64_t index) {
  const ModelEntry* entry = EntryAt(file, index);
  return entry ? entry->same_as.c_str() : nullptr;
}

bnq_status bnq_file_config(const bnq_file* file, uint64_t index,
                           bnq_config** out_config) {
  return Guard([&] {
    bnq_config*& out = Output(out_config, "out_config");
    out = new bnq_config(StoredConfig(RequiredEntry(file, index)));
  });
}

uint64_t bnq_file_metadata_count(const bnq_file* file) {
  return file ? file->core->metadata().size() : 0;
}

const char* bnq_file_metadata_key(const bnq_file* file, uint64_t index) {
  return index < bnq_file_metadata_count(file)
             ? file->core->metadata()[index].first.c_str()
             : nullptr;
}

const char* bnq_file_metadata_value(const bnq_file* file, uint64_t index) {
  return index < bnq_file_metadata_count(file)
             ? file->core->metadata()[index].second.c_str()
             : nullptr;
}

bnq_status bnq_file_data(const bnq_file* file, uint64_t index,
                         const void** out_data, uint64_t* out_bytes) {
  return Guard([&] {
    const void*& data = Required(out_data, "out_data");
    uint64_t& bytes = Required(out_bytes, "out_bytes");
    const ModelEntry& entry = RequiredPlain(file, index);
    const uint8_t* mapped = file->core->Mapped(entry);
    if (mapped == nullptr && entry.raw_bytes != 0) {
      Fail(Status::kUnsupported, "tensor ", Quoted(entry.name),
           " is not in one piece in the file; bnq_file_read reads it");
    }
    data = mapped;
    bytes = entry.raw_bytes;
  });
}

bnq_status bnq_file_read(bnq_context* context, const bnq_file* file,
                         uint64_t index, void* out, uint64_t out_bytes) {
  return Guard([&] {
    const ModelEntry& entry = RequiredPlain(file, index);
    CheckCount(out_bytes, entry.raw_bytes, "out_bytes");
    if (out_bytes == 0) return;
    Required(static_cast<char*>(out), "out");
    PlainReader(ContextOf(context), *file->core, entry).Read(out, out_bytes);
  });
}

bnq_status bnq_file_tensor(bnq_context* context, const bnq_file* file,
                           uint64_t index, bnq_tensor** out_tensor) {
  return Guard([&] {
    bnq_tensor*& out = Output(out_tensor, "out_tensor");
    const ModelEntry& entry = RequiredEntry(file, index);
    auto tensor = std::make_unique<bnq_tensor>();
    tensor->core = LoadTensor(ContextOf(context), file->core, entry);
    out = tensor.release();
  });
}

bnq_status bnq_file_verify(bnq_context* context, const bnq_file* file,
                           bnq_progress_fn progress, void* opaque) {
  return bnq_file_verify_part(context, file, 0, 1, progress, opaque);
}

bnq_status bnq_file_verify_part(bnq_context* context, const bnq_file* file,
                                uint64_t part, uint64_t parts,
                                bnq_progress_fn progress, void* opaque) {
  return Guard([&] {
    VerifyFile(ContextOf(context), Required(file, "file").core,
               ProgressOf(progress, opaque), uint64_t{1} << 20, {part, parts});
  });
}

bnq_status bnq_writer_create(bnq_context* context, const char* path,
                             int32_t kind, int32_t flags,
                             uint64_t max_shard_bytes,
                             bnq_writer** out_writer) {
  return Guard([&] {
    bnq_writer*& out = Output(out_writer, "out_writer");
    WriteOptions options =
        OptionsOf(context, flags, BNQ_WRITE_OVERWRITE | BNQ_WRITE_COMPRESS);
    options.max_shard_bytes = max_shard_bytes;
    auto writer = std::make_unique<bnq_writer>();
    writer->core = std::make_unique<ModelWriter>(
        ContextOf(context), &Required(path, "path"),
        static_cast<FileKind>(kind), options);
    out = writer.release();
  });
}

bnq_status bnq_writer_create_memory(bnq_context* context, int32_t kind,
                                    int32_t flags, bnq_writer** out_writer) {
  return Guard([&] {
    bnq_writer*& out = Output(out_writer, "out_writer");
    auto writer = std::make_unique<bnq_writer>();
    writer->core = std::make_unique<ModelWriter>(
        ContextOf(context), static_cast<FileKind>(kind),
        OptionsOf(context, flags, BNQ_WRITE_COMPRESS));
    out = writer.release();
  });
}

void bnq_writer_destroy(bnq_writer* writer) { delete writer; }

bnq_status bnq_writer_set_metadata(bnq_writer* writer, const char* key,
                                   const char* value) {
  return Guard([&] {
    RequiredWriter(writer).SetMetadata(&Required(key, "key"),
                                       &Required(value, "value"));
  });
}

bnq_status bnq_writer_add_array(bnq_writer* writer, const char* name,
                                const bnq_array* array) {
  return Guard([&] {
    ModelWriter& core = RequiredWriter(writer);
    const ArrayView view = ViewOf(array, "array");
    core.AddArray(&Required(name, "name"), view);
  });
}

bnq_status bnq_writer_add_tensor(bnq_writer* writer, const char* name,
                                 const bnq_tensor* tensor) {
  return Guard([&] {
    ModelWriter& core = RequiredWriter(writer);
    const bnq_tensor& added = Required(tensor, "tensor");
    core.AddTensor(&Required(name, "name"), *added.core);
  });
}

bnq_status bnq_writer_finish(bnq_writer* writer) {
  return Guard([&] { RequiredWriter(writer).Finish(); });
}

bnq_status bnq_writer_bytes(const bnq_writer* writer, const void** out_data,
                            uint64_t* out_bytes) {
  return Guard([&] {
    const void*& data = Required(out_data, "out_data");
    uint64_t& bytes = Required(out_bytes, "out_bytes");
    const MemoryOutput& memory = Required(writer, "writer").core->memory();
    data = memory.data();
    bytes = memory.size();
  });
}

bnq_status bnq_write_file(bnq_context* context, const char* path,
                          const void* data, uint64_t bytes, int32_t flags) {
  return Guard([&] {
    const std::string name = &Required(path, "path");
    const WriteOptions options = OptionsOf(
        context, flags,
        BNQ_WRITE_OVERWRITE | BNQ_WRITE_DRY_RUN | BNQ_WRITE_REPLACE_LINK);
    if (bytes != 0) Required(static_cast<const char*>(data), "data");
    AtomicFile file(name, options);
    file.Append(data, bytes);
    file.Commit();
  });
}
