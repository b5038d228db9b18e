//===- AttachSchedules.cpp - Schedules from the target; see Passes.td -----===//

#include "passes/Passes.h"

namespace tenon::passes {
#define GEN_PASS_DEF_ATTACHSCHEDULES
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

struct AttachSchedulesPass : impl::AttachSchedulesBase<AttachSchedulesPass> {
  explicit AttachSchedulesPass(Scheduler scheduler)
      : scheduler(std::move(scheduler)) {}

  void runOnOperation() override {
    SmallVector<ir::SymbolAttr> symbols;
    if (auto declared =
            getOperation()->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
      llvm::append_range(symbols, declared.getAsRange<ir::SymbolAttr>());
    WalkResult result = getOperation().walk([&](ir::KernelOp kernel) {
      if (kernel.getSchedules())
        return WalkResult::advance();
      if (!scheduler) {
        kernel.emitError("expects a target to schedule for, got none");
        return WalkResult::interrupt();
      }
      SmallVector<Attribute> schedules;
      for (ir::ScheduleAttr schedule : scheduler(kernel, symbols))
        schedules.push_back(schedule);
      kernel.setSchedulesAttr(ArrayAttr::get(&getContext(), schedules));
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  Scheduler scheduler;
};
} // namespace

std::unique_ptr<mlir::Pass> createAttachSchedules(Scheduler scheduler) {
  return std::make_unique<AttachSchedulesPass>(std::move(scheduler));
}

} // namespace tenon::passes
