//===- Schedule.cpp - The CPU's analytic model ----------------------------===//

#include "codegen/cpu/Schedule.h"

#include "ir/tn/AttentionShape.h"
#include "ir/tn/ExpertPlan.h"
#include "ir/tn/NestRole.h"

#include "tenon/abi.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

namespace {

// Rows of 32 columns that fit the registers beside one row of weights: 3 of 4
// AVX2 registers, 12 of 2 AVX-512 ones. Eight of these, where the weights need
// no unpacking that more rows would share: they hide a multiply-add's latency
// as well, and leave fewer rows over.
constexpr int64_t kRegisterRows[] = {3, 12, 12};
constexpr int64_t kPlainRows[] = {3, 8, 8};
// Accumulators of 32 columns in flight that hide a multiply-add's latency.
constexpr int64_t kRowsTimesPanels[] = {3, 12, 12};
constexpr int64_t kMostPanels[] = {2, 4, 4};
// The same of products of integers, which have two accumulators an element, and
// with few rows wait for memory: one panel is one stream.
constexpr int64_t kIntegerRows[] = {2, 6, 6};
constexpr int64_t kIntegerPanels[] = {1, 1, 1};
// Columns of a matmul's tile. One row streams weights, and wants a tile to be a
// few microseconds of memory traffic; more rows are staged once a tile, and
// want many columns to share that.
constexpr int64_t kDecodeColumns = 128, kWideColumns = 512;
constexpr int64_t kPrefillColumns = 1024;
// Sixteenths of the second-level cache that a tile's rows may take; of plain
// products if they are not all the rows there are.
constexpr int64_t kCachedRows = 9, kCachedPlainRows = 6;
// The same where panels are staged for a tile's rows. Tiles for each thread
// that are so many that nobody waits long for the last one.
constexpr int64_t kCachedStagedRows = 9, kManyTilesPerThread = 16;
// Tiles for each thread that a large product is cut to at least.
constexpr int64_t kMatmulTilesPerThread = 4;
// Elements of a rows nest's tile: some microseconds, a hundred claims' worth.
constexpr int64_t kRowsElements = 16384;
// The same of nests that stream: a tile begins without what the one before it
// prefetched, and ends by waiting for its stores.
constexpr int64_t kStreamedElements = 128 << 10;
// Tiles for each thread that a long nest is cut to at least; and those that one
// token of attention is, by heads that could share what they read.
constexpr int64_t kTilesPerThread = 8, kHeadTilesPerThread = 2;
// Rows (tokens by heads) of an attention tile: each block of keys and values is
// read from beyond the second-level cache once for all of them.
constexpr int64_t kAttentionRows = 48;
// Those that the registers hold, beside 64 keys of AVX-512 or 16 of AVX2; and
// the most that a tile may have to be one group in registers, beside 16 keys at
// least, with a lane for each.
constexpr int64_t kAttentionRegisterRows = 6;
constexpr int64_t kMostAttentionRegisterRows[] = {8, 12, 12};
constexpr int64_t kPackElements = 128 << 10;

int64_t mostRows(RankedTensorType type, int64_t firstAxis, int64_t endAxis,
                 const SymbolRanges &ranges) {
  int64_t rows = 1;
  for (int64_t axis = firstAxis; axis < endAxis; ++axis)
    rows *= std::max<int64_t>(mostOf(type, axis, ranges), 1);
  return rows;
}

/// The size of the fewest even parts of `extent` that are at most `limit`.
int64_t evenly(int64_t extent, int64_t limit) {
  return llvm::divideCeil(extent, llvm::divideCeil(extent, limit));
}

/// Rows whose segment and sums take some sixteenths of a core's second-level
/// cache, through which the weights stream.
int64_t rowsInCache(int64_t tileCols, int64_t sixteenths,
                    const base::TargetDescription &machine) {
  return machine.l2Bytes * sixteenths / 16 / ((kSegment + tileCols) * 4);
}

/// Whether the register tile multiplies the weights as they lie in panels.
bool multipliesAsStored(ir::ProductOp product) {
  Type a = getElementTypeOrSelf(product.getA());
  Type b = getElementTypeOrSelf(product.getB());
  return a == b && (a.isF32() || a.isBF16() || a.isInteger(8));
}

/// At least `least` tiles that cut `panels` so that every thread gets as many
/// of them; `least` if there is no such number of tiles.
int64_t sharedTiles(int64_t panels, int64_t least, int64_t threads) {
  for (int64_t tiles = least; tiles <= panels; ++tiles)
    if (llvm::divideCeil(panels, llvm::divideCeil(panels, tiles)) % threads ==
        0)
      return tiles;
  return least;
}

/// Whether panels of the right operand are staged for the rows of each tile, a
/// segment at a time.
bool stagesPanels(ir::ProductOp product) {
  auto b = cast<RankedTensorType>(product.getB().getType());
  if (!product.getTransposeB())
    return true;
  return !b.getEncoding() && isa<FloatType>(b.getElementType());
}

/// Whether rows of the left operand are staged from memory, segment by segment,
/// or lie beside each other at each k.
bool isRead(ir::ProductOp product) {
  Value a = product.getA();
  while (auto reshape = a.getDefiningOp<ir::ReshapeOp>())
    a = reshape.getX();
  return isa<BlockArgument>(a) || product.getTransposeA();
}

/// Rows and columns of a tile where panels are staged: as many rows as caches
/// hold share a panel, as many columns as are left for every thread share the
/// staged rows.
std::pair<int64_t, int64_t>
tileOfStaged(int64_t rows, int64_t columns, int64_t held, int64_t wholeRows,
             const base::TargetDescription &machine) {
  int64_t threads = machine.threads;
  int64_t panels = llvm::divideCeil(columns, kPanelLanes);
  int64_t limit = machine.l2Bytes * kCachedStagedRows / 16 / (kSegment * 4);
  limit = std::max(std::min(limit, wholeRows) / held * held, held);
  int64_t tileRows = llvm::alignTo(evenly(rows, limit), held);
  int64_t rowTiles = llvm::divideCeil(rows, tileRows);
  int64_t columnTiles = llvm::divideCeil(columns, kPrefillColumns);
  auto isShared = [&](int64_t tiles) {
    return rowTiles * tiles % threads == 0 ||
           rowTiles * tiles >= kManyTilesPerThread * threads;
  };
  for (int64_t tiles = columnTiles; tiles <= panels; ++tiles) {
    int64_t made = llvm::divideCeil(panels, llvm::divideCeil(panels, tiles));
    if (!isShared(made))
      continue;
    columnTiles = made;
    break;
  }
  // Too few columns for the threads: these share the rows, too.
  while (rowTiles * columnTiles < threads && tileRows > held) {
    tileRows = llvm::alignTo(llvm::divideCeil(tileRows, 2), held);
    rowTiles = llvm::divideCeil(rows, tileRows);
  }
  return {tileRows, llvm::divideCeil(panels, columnTiles) * kPanelLanes};
}

/// The rows that `tn-plan-expert-dispatch` wants together; without it as many
/// as even groups have.
int64_t rowsTogether(ir::ProductOp product, int64_t rows) {
  if (auto planned = product->getAttrOfType<IntegerAttr>(ir::kRowsTogetherAttr))
    return planned.getInt();
  return llvm::divideCeil(rows, product.getB().getType().getDimSize(0));
}

/// Rows that products share tiles of, and those that are to be held in
/// registers beside each other: of groups twice those of an even one, in whole
/// registers.
std::pair<int64_t, int64_t> rowsOf(ir::ProductOp product, int64_t rows) {
  if (!product.getOffsets() || product.isCutAlongK())
    return {rows, rows};
  int64_t together = rowsTogether(product, rows);
  if (together == 1)
    return {1, 1};
  int64_t even = llvm::divideCeil(rows, product.getB().getType().getDimSize(0));
  return {std::min<int64_t>(rows, llvm::alignTo(2 * even, together)), together};
}

ir::ScheduleAttr scheduleMatmul(ir::ProductOp product,
                                const SymbolRanges &ranges,
                                const base::TargetDescription &machine) {
  auto y = cast<RankedTensorType>(product.getY().getType());
  auto a = cast<RankedTensorType>(product.getA().getType());
  int64_t last = y.getRank() - 1;
  bool isBatched =
      product.isCutAlongK() ||
      (!product.getOffsets() && product.getB().getType().getRank() > 2);
  auto [rows, together] =
      rowsOf(product, mostRows(y, isBatched ? last - 1 : 0, last, ranges));
  int64_t columns = mostOf(y, last, ranges);
  int64_t k = mostOf(a, product.getTransposeA() ? last - 1 : last, ranges);

  SmallVector<int64_t, 3> registers;
  bool isInteger = isa<ir::BlockType>(a.getElementType());
  bool isStaged = stagesPanels(product);
  bool isPlain = multipliesAsStored(product) || isStaged;
  const auto &limits = isInteger ? kIntegerRows
                       : isPlain ? kPlainRows
                                 : kRegisterRows;
  for (int64_t limit : limits)
    registers.push_back(evenly(std::min(rows, together), limit));
  // Rows that are computed are staged with all of k.
  int64_t wholeRows = rows;
  if (!isRead(product))
    wholeRows = machine.l2Bytes / 2 / (std::max<int64_t>(k, 1) * 4);
  if (isStaged && rows > registers.back()) {
    auto [tileRows, tileCols] =
        tileOfStaged(rows, columns, registers.back(), wholeRows, machine);
    return ir::ScheduleAttr::get(product.getContext(), ir::NestKind::Matmul,
                                 tileRows, tileCols, registers);
  }
  int64_t tileCols = rows == 1 && columns <= 8192 ? kDecodeColumns
                     : rows == 1                  ? kWideColumns
                                                  : kPrefillColumns;
  int64_t most = registers.back();
  int64_t limit =
      rowsInCache(tileCols, isPlain ? kCachedPlainRows : kCachedRows, machine);
  // Rows of one tile read the weights from memory once.
  if (rows > limit && rows <= rowsInCache(tileCols / 2, kCachedRows, machine)) {
    tileCols /= 2;
    limit = static_cast<int64_t>(llvm::alignTo(rows, most));
  }
  limit = std::min(limit, wholeRows);
  limit = std::max(limit / most * most, most);
  int64_t tileRows = llvm::alignTo(evenly(rows, limit), most);
  int64_t rowTiles = llvm::divideCeil(rows, tileRows);
  int64_t panels = llvm::divideCeil(columns, kPanelLanes);
  int64_t columnTiles = llvm::divideCeil(columns, tileCols);
  int64_t threads = machine.threads;
  if (rows > 1 && rowTiles * columnTiles < kMatmulTilesPerThread * threads)
    columnTiles *= 2;
  if (rows > 1 && rowTiles % threads != 0)
    columnTiles = sharedTiles(panels, columnTiles, threads);
  tileCols = llvm::divideCeil(panels, columnTiles) * kPanelLanes;
  return ir::ScheduleAttr::get(product.getContext(), ir::NestKind::Matmul,
                               tileRows, tileCols, registers);
}

// What does not fit the last cache is gone from it before anybody reads it.
int64_t streamBytes(Operation *yield, const SymbolRanges &ranges,
                    const base::TargetDescription &machine) {
  for (Type result : yield->getOperandTypes()) {
    auto type = dyn_cast<RankedTensorType>(result);
    if (type && mostBytes(type, ranges) >= machine.l3Bytes)
      return machine.l3Bytes;
  }
  return 0;
}

ir::ScheduleAttr scheduleRows(Operation *yield, const SymbolRanges &ranges,
                              const base::TargetDescription &machine) {
  int64_t rows = 1, columns = 1;
  for (Value result : yield->getOperands()) {
    Operation *op = result.getDefiningOp();
    auto type =
        op ? ir::rowType(op) : dyn_cast<RankedTensorType>(result.getType());
    if (!type || type.getRank() == 0)
      continue;
    int64_t last = type.getRank() - 1;
    rows = std::max(rows, mostRows(type, 0, last, ranges));
    columns = std::max(columns, mostOf(type, last, ranges));
  }
  int64_t leastTiles = kTilesPerThread * machine.threads;
  int64_t stream = streamBytes(yield, ranges, machine);
  int64_t elements = stream > 0 ? kStreamedElements : kRowsElements;
  int64_t tileRows = std::max<int64_t>(elements / columns, 1);
  tileRows = std::min(tileRows, std::max<int64_t>(rows / leastTiles, 1));
  return ir::ScheduleAttr::get(yield->getContext(), ir::NestKind::Rows,
                               tileRows, 0, ArrayRef<int64_t>{}, stream);
}

/// A tile of keys is one block of one head.
ir::ScheduleAttr scheduleGradKeys(MLIRContext *context) {
  SmallVector<int64_t, 3> registers(std::size(kMostAttentionRegisterRows),
                                    kAttentionRegisterRows);
  return ir::ScheduleAttr::get(context, ir::NestKind::Attention,
                               TENON_CACHE_BLOCK, 1, registers);
}

ir::ScheduleAttr scheduleAttention(const ir::AttentionShape &shape,
                                   const SymbolRanges &ranges,
                                   const base::TargetDescription &machine) {
  MLIRContext *context = shape.op->getContext();
  if (isa<ir::SelfAttentionGradKeysOp>(shape.op))
    return scheduleGradKeys(context);
  int64_t tokens = mostOf(shape.q.getType(), 0, ranges), heads = shape.heads;
  int64_t cols = std::min(shape.group(), kAttentionRows);
  while (shape.group() % cols)
    --cols;
  int64_t tileRows = std::clamp<int64_t>(kAttentionRows / cols, 1,
                                         std::max<int64_t>(tokens, 1));
  auto tiles = [&]() -> int64_t {
    return llvm::divideCeil(tokens, tileRows) * (heads / cols);
  };
  while (tileRows > 1 && tiles() < kTilesPerThread * machine.threads)
    tileRows = llvm::divideCeil(tileRows, 2);
  while (cols > 1 && tiles() < kHeadTilesPerThread * machine.threads)
    do
      --cols;
    while (shape.group() % cols);
  SmallVector<int64_t, 3> registers;
  int64_t rows = tileRows * cols;
  int64_t groups = llvm::divideCeil(rows, kAttentionRegisterRows);
  for (int64_t most : kMostAttentionRegisterRows)
    registers.push_back(rows > most ? llvm::divideCeil(rows, groups) : rows);
  return ir::ScheduleAttr::get(context, ir::NestKind::Attention, tileRows, cols,
                               registers);
}

ir::ScheduleAttr schedulePack(ir::PackOp op) {
  auto type = cast<RankedTensorType>(op.getY().getType());
  int64_t panel = kPanelLanes * type.getShape().back();
  int64_t tileRows = std::max<int64_t>(kPackElements / panel, 1);
  return ir::ScheduleAttr::get(op.getContext(), ir::NestKind::Pack, tileRows, 0,
                               ArrayRef<int64_t>{});
}

} // namespace

int64_t mostOf(RankedTensorType type, int64_t axis,
               const SymbolRanges &ranges) {
  if (!type.isDynamicDim(axis))
    return type.getDimSize(axis);
  auto found = ranges.find(ir::symbolOf(type, axis));
  return found == ranges.end() ? 1 : found->second.getMax();
}

int64_t mostBytes(RankedTensorType type, const SymbolRanges &ranges) {
  Type element = type.getElementType();
  if (!element.isIntOrFloat())
    return 0;
  // Rows beyond any memory may overflow; nothing needs to know how many.
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t bytes = llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    int64_t extent = mostOf(type, axis, ranges);
    bytes = extent > kMost / bytes ? kMost : bytes * extent;
    if (bytes == 0)
      return 0;
  }
  return bytes;
}

ir::ScheduleAttr scheduleNest(ir::KernelOp kernel, unsigned nest,
                              const SymbolRanges &ranges,
                              const base::TargetDescription &machine) {
  Block &body = kernel.getNests()[nest].front();
  for (Operation &op : body) {
    if (auto product = dyn_cast<ir::ProductOp>(op))
      return scheduleMatmul(product, ranges, machine);
    if (std::optional<ir::AttentionShape> attention = ir::attentionShape(&op))
      return scheduleAttention(*attention, ranges, machine);
    if (auto pack = dyn_cast<ir::PackOp>(op))
      return schedulePack(pack);
  }
  return scheduleRows(body.getTerminator(), ranges, machine);
}

RegisterTile registerTile(ir::ScheduleAttr schedule, base::CpuFeatures features,
                          bool isInteger) {
  size_t set = static_cast<size_t>(features);
  RegisterTile tile;
  tile.rows = schedule.getRegisterRows()[set];
  const auto &sums = isInteger ? kIntegerRows : kRowsTimesPanels;
  const auto &most = isInteger ? kIntegerPanels : kMostPanels;
  tile.panels = std::clamp<int64_t>(sums[set] / tile.rows, 1, most[set]);
  int64_t columns = llvm::divideCeil(schedule.getTileCols(), kPanelLanes);
  if (columns == 0)
    return tile;
  // Rather fewer that fill the tile than more that reach past its end.
  tile.panels = std::min(tile.panels, columns);
  auto reach = [&](int64_t panels) { return llvm::alignTo(columns, panels); };
  for (int64_t fewer = tile.panels; fewer * 2 > tile.panels; --fewer)
    if (reach(fewer) < reach(tile.panels))
      tile.panels = fewer;
  return tile;
}

} // namespace tenon::codegen::cpu
