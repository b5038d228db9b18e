//===- Handles.h - What the C API's opaque pointers point to ----*- C++ -*-===//

#ifndef TENON_RUNTIME_EXEC_CAPI_HANDLES_H
#define TENON_RUNTIME_EXEC_CAPI_HANDLES_H

#include "runtime/exec/TextModel.h"
#include "runtime/exec/Trace.h"
#include "tenon/session.h"

#include <atomic>
#include <cstring>

struct tenon_device {
  std::atomic<int> references = 1;
  std::shared_ptr<tenon::hal::Device> device;
};

struct tenon_program {
  std::atomic<int> references = 1;
  std::string path;
  std::shared_ptr<const tenon::exec::LoadedProgram> program;
};

struct tenon_session {
  std::unique_ptr<tenon::exec::TextModel> model;
  tenon::exec::Trace trace;
  bool tracing = false;
};

namespace tenon::exec {

/// Drops one reference; the last one frees.
template <typename Handle> void release(Handle *handle) {
  // acq_rel: what other owners did comes before the free.
  if (handle && handle->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete handle;
}

/// A caller's options over the defaults: a struct from an older header is
/// shorter, and what it lacks keeps its default. Null is all defaults.
template <typename Options>
Options readOptions(const Options *given, const Options &defaults) {
  Options options = defaults;
  if (given)
    std::memcpy(static_cast<void *>(&options), given,
                std::min(given->size_bytes, sizeof(Options)));
  return options;
}

/// The reverse, for what a call fills in.
template <typename Struct> void writeStruct(const Struct &from, Struct *to) {
  size_t size = to->size_bytes;
  std::memcpy(static_cast<void *>(to), &from, std::min(size, sizeof(Struct)));
  to->size_bytes = size;
}

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_CAPI_HANDLES_H
