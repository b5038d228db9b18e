//===- Targets.cpp - The list of targets ----------------------------------===//

#include "codegen/Target.h"

#include "codegen/cpu/Schedule.h"

namespace tenon::codegen {

llvm::ArrayRef<const Target *> targets() {
  static const Target *const all[] = {&cpu::target()};
  return all;
}

const Target *findTarget(llvm::StringRef name) {
  for (const Target *target : targets())
    if (target->name() == name)
      return target;
  return nullptr;
}

} // namespace tenon::codegen
