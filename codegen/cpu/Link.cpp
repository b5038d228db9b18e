//===- Link.cpp - lld as a library ----------------------------------------===//

#include "codegen/cpu/Link.h"

#include "absl/strings/str_cat.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>
#include <vector>

LLD_HAS_DRIVER(elf)

namespace tenon::codegen::cpu {

namespace {

absl::Status writeFile(const std::string &path, llvm::StringRef bytes) {
  std::error_code code;
  llvm::raw_fd_ostream file(path, code);
  if (!code) {
    file << bytes;
    file.close();
    code = file.error();
    file.clear_error();
  }
  if (!code)
    return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("expects to write ", path, ", got ", code.message()));
}

absl::Status runLld(const std::vector<std::string> &arguments) {
  static std::mutex mutex;
  static bool canRunAgain = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!canRunAgain)
    return absl::InternalError(
        "expects lld to be usable, got one that crashed");
  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(pointers, stream, stream, {{lld::Gnu, &lld::elf::link}});
  canRunAgain = result.canRunAgain;
  if (result.retCode == 0)
    return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("expects kernels that link: ", stream.str()));
}

} // namespace

absl::StatusOr<std::string> linkShared(absl::Span<const std::string> objects) {
  llvm::SmallString<128> folder;
  if (std::error_code code =
          llvm::sys::fs::createUniqueDirectory("tenon-link", folder))
    return absl::InternalError(absl::StrCat(
        "expects to make a temporary folder, got ", code.message()));
  auto removeFolder =
      llvm::make_scope_exit([&] { llvm::sys::fs::remove_directories(folder); });

  std::string output = absl::StrCat(folder.str().str(), "/kernels.so");
  std::vector<std::string> arguments = {
      "ld.lld",     "-shared", "-o",          output,
      "-z",         "defs",    "-z",          "noexecstack",
      "-soname",    "kernels", "--threads=1", "--build-id=none",
      "--strip-all"};
  for (const std::string &object : objects) {
    std::string path =
        absl::StrCat(folder.str().str(), "/", arguments.size(), ".o");
    if (absl::Status status = writeFile(path, object); !status.ok())
      return status;
    arguments.push_back(path);
  }
  if (absl::Status status = runLld(arguments); !status.ok())
    return status;
  auto linked = llvm::MemoryBuffer::getFile(output, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!linked)
    return absl::InternalError(absl::StrCat(
        "expects to read ", output, ", got ", linked.getError().message()));
  return (*linked)->getBuffer().str();
}

} // namespace tenon::codegen::cpu
