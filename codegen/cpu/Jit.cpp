//===- Jit.cpp - ORC over finished objects --------------------------------===//

#include "codegen/cpu/Jit.h"

#include "absl/strings/str_cat.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

#include <mutex>

namespace tenon::codegen::cpu {

Jit::Jit(std::unique_ptr<llvm::orc::LLJIT> lljit) : lljit(std::move(lljit)) {}

Jit::~Jit() = default;

absl::StatusOr<std::unique_ptr<Jit>> Jit::create() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  // No platform and no symbols of the process: kernels call nothing.
  auto lljit = llvm::orc::LLJITBuilder()
                   .setLinkProcessSymbolsByDefault(false)
                   .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                   .create();
  if (!lljit)
    return absl::InternalError(llvm::toString(lljit.takeError()));
  return std::unique_ptr<Jit>(new Jit(std::move(*lljit)));
}

absl::Status Jit::add(llvm::StringRef object) {
  llvm::Error error = lljit->addObjectFile(
      llvm::MemoryBuffer::getMemBufferCopy(object, "kernels"));
  if (error)
    return absl::InternalError(llvm::toString(std::move(error)));
  return absl::OkStatus();
}

absl::StatusOr<tenon_kernel_fn> Jit::lookup(llvm::StringRef symbol) {
  llvm::Expected<llvm::orc::ExecutorAddr> address = lljit->lookup(symbol);
  if (!address)
    return absl::NotFoundError(
        absl::StrCat("expects a kernel named ", symbol.str(), ": ",
                     llvm::toString(address.takeError())));
  return address->toPtr<tenon_kernel_fn>();
}

} // namespace tenon::codegen::cpu
