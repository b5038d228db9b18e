//===- RowReads.cpp - Tables of which a kernel reads some rows ------------===//

#include "codegen/host/RowReads.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen::host;

SmallVector<uint32_t> codegen::host::firstBuffers(ir::KernelOp kernel) {
  SmallVector<uint32_t> numbers;
  uint32_t next = 0;
  for (Type type : kernel.getInputs().getTypes()) {
    numbers.push_back(next);
    next += isa<ir::BatchType>(type) ? 3 : 1;
  }
  return numbers;
}

/// The bytes of one row of a table, where its extents are known; else 0.
static int64_t rowBytesOf(RankedTensorType table) {
  int64_t elements = 1;
  for (int64_t extent : table.getShape().drop_front()) {
    if (ShapedType::isDynamic(extent))
      return 0;
    elements *= extent;
  }
  StatusOr<int64_t> bytes =
      base::sizeBytes(ir::storageOf(table.getElementType()), elements);
  return bytes.ok() ? *bytes : 0;
}

/// The gathers that are all uses of a nest's argument as their table, added to
/// `gathers`; failure if it is read in another way.
static LogicalResult collectGathers(BlockArgument table,
                                    SmallVectorImpl<ir::GatherOp> &gathers) {
  for (OpOperand &use : table.getUses()) {
    auto gather = dyn_cast<ir::GatherOp>(use.getOwner());
    if (!gather || gather.getIndex() == table)
      return failure();
    gathers.push_back(gather);
  }
  return success();
}

/// The input that holds a gather's indices, in whatever shape.
static BlockArgument indexInput(ir::GatherOp gather) {
  Value index = gather.getIndex();
  while (auto reshape = index.getDefiningOp<ir::ReshapeOp>())
    index = reshape.getX();
  return dyn_cast<BlockArgument>(index);
}

std::vector<base::RowRead> codegen::host::rowReadsOf(ir::KernelOp kernel) {
  SmallVector<uint32_t> buffers = firstBuffers(kernel);
  std::vector<base::RowRead> reads;
  for (auto [input, value] : llvm::enumerate(kernel.getInputs())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    int64_t rowBytes = type && type.getRank() > 0 ? rowBytesOf(type) : 0;
    SmallVector<ir::GatherOp> gathers;
    bool byRows = rowBytes > 0;
    for (Region &nest : kernel.getNests())
      byRows =
          byRows && succeeded(collectGathers(nest.getArgument(input), gathers));
    byRows = byRows && llvm::all_of(gathers, [](ir::GatherOp gather) {
               return indexInput(gather) != nullptr;
             });
    if (!byRows)
      continue;
    for (ir::GatherOp gather : gathers)
      reads.push_back({buffers[input],
                       buffers[indexInput(gather).getArgNumber()], rowBytes});
  }
  return reads;
}
