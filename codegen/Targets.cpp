//===- Targets.cpp - The list of targets ----------------------------------===//

#include "codegen/Target.h"

#include "codegen/cpu/Schedule.h"

namespace tenon::codegen {

std::unique_ptr<Target> makeTarget(llvm::StringRef name,
                                   const base::TargetDescription &description) {
  if (name == "cpu")
    return cpu::makeTarget(description);
  return nullptr;
}

} // namespace tenon::codegen
