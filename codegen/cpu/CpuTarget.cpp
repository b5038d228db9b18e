//===- CpuTarget.cpp - The CPU as a target, and the search around it ------===//

#include "codegen/cpu/Schedule.h"

#include "ir/tn/AttentionShape.h"
#include "ir/tn/Linear.h"
#include "ir/tn/NestRole.h"

#include "llvm/Support/MathExtras.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

namespace {

// Register rows that a search tries at most, for each feature set: beyond them
// sums spill.
constexpr int64_t kMostRegisterRows[] = {4, 14, 14};
// What anybody's schedule may ask for at most; scratch grows with it.
constexpr int64_t kMostExtent = 1 << 20, kMostElements = 1 << 24,
                  kMostRows = 32;

/// A schedule whose parts can be changed.
struct Parts {
  explicit Parts(ir::ScheduleAttr schedule)
      : kind(schedule.getKind()), rows(schedule.getTileRows()),
        cols(schedule.getTileCols()), registers(schedule.getRegisterRows()),
        stream(schedule.getStreamBytes()) {}

  ir::ScheduleAttr make(MLIRContext *context) const {
    return ir::ScheduleAttr::get(context, kind, rows, cols, registers, stream);
  }

  ir::NestKind kind;
  int64_t rows, cols;
  SmallVector<int64_t, 3> registers;
  int64_t stream;
};

class CpuTarget final : public Target {
public:
  explicit CpuTarget(const base::TargetDescription &description)
      : machine(description) {}

  ir::ScheduleAttr schedule(ir::KernelOp kernel, unsigned nest,
                            const SymbolRanges &ranges) const override {
    return scheduleNest(kernel, nest, ranges, machine);
  }

  SmallVector<ir::ScheduleAttr>
  neighbours(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr from,
             const SymbolRanges &ranges, base::CpuFeatures set) const override;

  bool admits(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr schedule,
              const SymbolRanges &ranges) const override;

private:
  base::TargetDescription machine;
};

/// The first op of a kind in a nest, or null.
template <typename OpT> OpT rootOf(ir::KernelOp kernel, unsigned nest) {
  auto ops = kernel.getNests()[nest].front().getOps<OpT>();
  return ops.empty() ? OpT() : *ops.begin();
}

/// The op of attention in a nest, where there is one.
std::optional<ir::AttentionShape> attentionIn(ir::KernelOp kernel,
                                              unsigned nest) {
  for (Operation &op : kernel.getNests()[nest].front())
    if (std::optional<ir::AttentionShape> shape = ir::attentionShape(&op))
      return shape;
  return std::nullopt;
}

/// The rows and columns that the nest's results have at most: beyond them a
/// larger tile is the same one.
std::pair<int64_t, int64_t> extentsOf(ir::KernelOp kernel, unsigned nest,
                                      const SymbolRanges &ranges) {
  int64_t rows = 1, columns = 1;
  Operation *yield = kernel.getNests()[nest].front().getTerminator();
  for (Type type : yield->getOperandTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getRank() == 0)
      continue;
    int64_t last = tensor.getRank() - 1, count = 1;
    for (int64_t axis = 0; axis < last; ++axis)
      count = std::min(count * mostOf(tensor, axis, ranges), kMostExtent);
    rows = std::max(rows, count);
    columns = std::max(columns, mostOf(tensor, last, ranges));
  }
  return {rows, columns};
}

SmallVector<ir::ScheduleAttr>
CpuTarget::neighbours(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr from,
                      const SymbolRanges &ranges, base::CpuFeatures set) const {
  SmallVector<ir::ScheduleAttr> found;
  if (from.getKind() == ir::NestKind::Pack) // Run once, when weights load.
    return found;
  auto [rows, columns] = extentsOf(kernel, nest, ranges);
  auto add = [&](auto change) {
    Parts parts(from);
    change(parts);
    if (parts.rows / 2 >= rows || parts.cols / 2 >= columns)
      return;
    ir::ScheduleAttr made = parts.make(kernel.getContext());
    if (made != from && admits(kernel, nest, made, ranges))
      found.push_back(made);
  };
  size_t number = static_cast<size_t>(set);
  bool hasRegisters = !from.getRegisterRows().empty();
  int64_t held = hasRegisters ? from.getRegisterRows()[number] : 1;
  add([&](Parts &p) { p.rows = llvm::alignTo(p.rows * 2, held); });
  add([&](Parts &p) { p.rows = llvm::alignTo(p.rows / 2, held); });
  // Where results outgrow the caches, storing past them may be tried or not.
  int64_t stream = scheduleNest(kernel, nest, ranges, machine).getStreamBytes();
  if (stream > 0)
    add([&](Parts &p) { p.stream = p.stream > 0 ? 0 : stream; });
  if (from.getKind() == ir::NestKind::Matmul) {
    add([&](Parts &p) { p.cols = p.cols * 2; });
    add([&](Parts &p) { p.cols = llvm::alignTo(p.cols / 2, kPanelLanes); });
  }
  if (std::optional<ir::AttentionShape> attention = attentionIn(kernel, nest);
      attention && hasRegisters) // Heads of a tile share what it reads.
    for (int64_t heads = 1; heads <= attention->group(); ++heads)
      add([&](Parts &p) { p.cols = heads; });
  for (int64_t count : {held - 2, held - 1, held + 1, held + 2})
    if (hasRegisters && count >= 1 && count <= kMostRegisterRows[number])
      add([&](Parts &p) {
        p.registers[number] = count;
        p.rows = llvm::alignTo(p.rows, count);
      });
  return found;
}

bool CpuTarget::admits(ir::KernelOp kernel, unsigned nest,
                       ir::ScheduleAttr schedule,
                       const SymbolRanges &ranges) const {
  ir::ScheduleAttr own = scheduleNest(kernel, nest, ranges, machine);
  int64_t rows = schedule.getTileRows(), cols = schedule.getTileCols();
  ArrayRef<int64_t> registers = schedule.getRegisterRows();
  auto isHeld = [](int64_t r) { return r >= 1 && r <= kMostRows; };
  if (schedule.getKind() != own.getKind() || rows < 1 || rows > kMostExtent ||
      (cols > 0) != (own.getTileCols() > 0) || cols < 0 || cols > kMostExtent ||
      rows * std::max<int64_t>(cols, 1) > kMostElements ||
      registers.size() != own.getRegisterRows().size() ||
      schedule.getStreamBytes() < 0 || !llvm::all_of(registers, isHeld))
    return false;
  if (std::optional<ir::AttentionShape> attention = attentionIn(kernel, nest)) {
    if (isa<ir::SelfAttentionGradKeysOp>(attention->op))
      return rows == own.getTileRows() && cols == own.getTileCols();
    return attention->group() % cols == 0;
  }
  if (auto product = rootOf<ir::ProductOp>(kernel, nest))
    return cols % kPanelLanes == 0 && rows % registers.back() == 0;
  return true;
}

} // namespace

std::unique_ptr<Target> makeTarget(const base::TargetDescription &description) {
  return std::make_unique<CpuTarget>(description);
}

} // namespace tenon::codegen::cpu
