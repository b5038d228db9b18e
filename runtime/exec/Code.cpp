//===- Code.cpp - The compiled functions of a program ---------------------===//

#include "runtime/exec/Code.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tenon::exec {
namespace {

/// A file without a name, so that code held in a container can be loaded
/// without writing it to disk.
class MemoryFile {
public:
  explicit MemoryFile(int descriptor) : descriptor(descriptor) {}
  ~MemoryFile() { close(descriptor); }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;

  bool write(const void *bytes, size_t sizeBytes) {
    auto *from = static_cast<const char *>(bytes);
    while (sizeBytes > 0) {
      ssize_t written = ::write(descriptor, from, sizeBytes);
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return false;
      from += written;
      sizeBytes -= written;
    }
    return true;
  }

  std::string path() const { return concat("/proc/self/fd/", descriptor); }

private:
  int descriptor;
};

/// An object that is loaded. Its file stays open: the loader knows objects by
/// their paths, and takes a new one whose descriptor has the number of a closed
/// one for that which it has.
struct LoadedObject {
  explicit LoadedObject(int descriptor) : file(descriptor) {}
  ~LoadedObject() {
    if (handle)
      dlclose(handle);
  }
  LoadedObject(const LoadedObject &) = delete;
  LoadedObject &operator=(const LoadedObject &) = delete;

  MemoryFile file;
  void *handle = nullptr;
};

} // namespace

StatusOr<Code> Code::fromElf(const base::Program &program, const void *bytes,
                             size_t sizeBytes) {
  int descriptor = memfd_create("tenon-code", MFD_CLOEXEC);
  if (descriptor < 0)
    return resourceExhausted("expects a memory file for code, got '",
                             std::strerror(errno), "'");
  auto object = std::make_shared<LoadedObject>(descriptor);
  if (!object->file.write(bytes, sizeBytes))
    return resourceExhausted("expects ", sizeBytes, " bytes for code, got '",
                             std::strerror(errno), "'");
  // Local: two programs may hold kernels of the same name.
  object->handle = dlopen(object->file.path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!object->handle)
    return dataLoss("expects a loadable code object, got '", dlerror(), "'");
  Code code;
  code.owner = object;
  for (const base::Kernel &kernel : program.kernels) {
    void *function = dlsym(object->handle, kernel.symbol.c_str());
    if (!function)
      return dataLoss("expects the kernel '", kernel.symbol,
                      "' in the code object, got none");
    code.functions.push_back(reinterpret_cast<tenon_kernel_fn>(function));
  }
  return code;
}

StatusOr<Code> Code::fromTable(const base::Program &program,
                               std::vector<tenon_kernel_fn> functions,
                               std::shared_ptr<const void> owner) {
  if (functions.size() != program.kernels.size())
    return invalidArgument("expects ", program.kernels.size(),
                           " kernel functions, got ", functions.size());
  for (size_t i = 0; i < functions.size(); ++i)
    if (!functions[i])
      return invalidArgument("expects a function for the kernel '",
                             program.kernels[i].symbol, "', got null");
  Code code;
  code.functions = std::move(functions);
  code.owner = std::move(owner);
  return code;
}

} // namespace tenon::exec
