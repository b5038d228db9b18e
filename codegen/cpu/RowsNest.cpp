//===- RowsNest.cpp - Nests over rows: the loops around pulled elements ---===//
//
// A row is one index of the leading axes that all results share; a tile is
// `tileRows` rows. Results with further leading axes (heads) loop over those
// inside a row. Each row is prepared (statistics, in dependency order) and then
// walked once for all results of one shape, which pull their elements.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/RowsNest.h"

#include "tenon/abi.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kQuants = 32; // of a block of q8_0

/// One result of the nest.
struct Root {
  unsigned number; // of the nest's results
  Value tensor;    // what is stored: a cache's new rows
  RankedTensorType type;
  ir::CacheAppendOp append; // null but for caches
  int64_t rowAxes;          // the rest is the column axis, if any
  int64_t run;
};

SmallVector<Root> rootsOf(Elements &elements, const Nest &nest) {
  SmallVector<Root> roots;
  for (auto [number, value] : llvm::enumerate(nest.yield()->getOperands())) {
    auto append = value.getDefiningOp<ir::CacheAppendOp>();
    Value tensor = append ? Value(append.getX()) : value;
    auto type = cast<RankedTensorType>(tensor.getType());
    bool isEach = type.getRank() == 0 || elements.isRowEach(tensor);
    int64_t rowAxes = isEach ? type.getRank() : type.getRank() - 1;
    int64_t run = elements.runLength(tensor);
    roots.push_back({unsigned(number), tensor, type, append, rowAxes, run});
  }
  return roots;
}

/// How many leading axes number the rows of every root.
int64_t commonAxes(ArrayRef<Root> roots) {
  int64_t common = roots[0].rowAxes;
  for (const Root &root : roots.drop_front()) {
    int64_t axis = 0;
    while (axis < std::min(common, root.rowAxes) &&
           ir::sameExtent(root.type, axis, roots[0].type, axis))
      ++axis;
    common = axis;
  }
  return common;
}

Size countRows(KernelEmitter &e, ArrayRef<Root> roots) {
  Size rows = e.size(1);
  for (int64_t axis = 0; axis < commonAxes(roots); ++axis)
    rows = e.mul(rows, e.size(roots[0].type, axis));
  return rows;
}

int64_t tileRows(const Nest &nest) {
  return nest.schedule ? std::max<int64_t>(1, nest.schedule.getTileRows()) : 1;
}

/// Roots that one walk over columns stores.
bool walkTogether(const Root &a, const Root &b) {
  if (a.append || b.append || a.tensor.getDefiningOp<ir::QuantizeOp>() ||
      b.tensor.getDefiningOp<ir::QuantizeOp>() || a.rowAxes != b.rowAxes ||
      a.run != b.run)
    return false;
  return sameShape(a.type, b.type);
}

class RowsNest {
public:
  RowsNest(KernelEmitter &emitter, const Nest &nest)
      : e(emitter), nest(nest), elements(emitter),
        roots(rootsOf(elements, nest)) {}

  LogicalResult emit(Value tile);

private:
  void emitRow(ValueRange common);
  void emitGroup(ArrayRef<Root> group, ValueRange row);
  void emitAppend(const Root &root, ValueRange row);
  void storeInPage(const Root &root, ValueRange row, Value page,
                   Value positionInPage);
  void storeQuants(const Root &root, ValueRange row, Value block, Value lane);

  KernelEmitter &e;
  const Nest &nest;
  Elements elements;
  SmallVector<Root> roots;
};

void RowsNest::emitGroup(ArrayRef<Root> group, ValueRange row) {
  if (group[0].append)
    return emitAppend(group[0], row);
  if (auto quantize = group[0].tensor.getDefiningOp<ir::QuantizeOp>())
    return elements.storeQuantized(quantize, row,
                                   e.resultPointer(nest, group[0].number));
  // All are read before one is stored, which may be where another is read.
  auto storeAll = [&](ValueRange index, const Lanes &lanes) {
    SmallVector<Value> values;
    for (const Root &root : group)
      values.push_back(elements.element(root.tensor, index, lanes));
    for (auto [root, value] : llvm::zip_equal(group, values))
      elements.store(value, root.type, e.resultPointer(nest, root.number),
                     index, lanes);
  };
  bool hasColumns = group[0].rowAxes < group[0].type.getRank();
  if (hasColumns && llvm::all_of(group, [&](const Root &root) {
        return mayStream(elements, nest, root.tensor);
      })) {
    SmallVector<StreamedResult> results;
    for (const Root &root : group)
      results.push_back(
          {root.tensor, root.type, e.resultPointer(nest, root.number)});
    return storeStreamed(elements, nest, results, row);
  }
  if (!hasColumns) {
    for (const Root &root : group)
      elements.prepare(root.tensor, row);
    return storeAll(row, {});
  }
  SmallVector<Value> tensors;
  for (const Root &root : group)
    tensors.push_back(root.tensor);
  elements.forColumns(tensors, row, storeAll);
}

void RowsNest::emitRow(ValueRange common) {
  if (!common.empty())
    elements.prepareRopes(nest.body, roots[0].type, common[0]);
  SmallVector<bool> isDone(roots.size());
  for (size_t first = 0; first < roots.size(); ++first) {
    if (isDone[first])
      continue;
    SmallVector<Root> group;
    for (size_t i = first; i < roots.size(); ++i)
      if (i == first || (!isDone[i] && walkTogether(roots[first], roots[i]))) {
        group.push_back(roots[i]);
        isDone[i] = true;
      }
    // The leading axes of this group alone.
    SmallVector<Value> inner;
    Value count = e.index(1);
    for (int64_t axis = common.size(); axis < group[0].rowAxes; ++axis) {
      inner.push_back(e.extent(group[0].type, axis));
      count = e.mul(count, inner.back());
    }
    if (inner.empty()) {
      emitGroup(group, common);
      continue;
    }
    e.loop(e.index(0), count, 1, [&](Value number) {
      Elements::Scope scope(elements);
      SmallVector<Value> row(common);
      llvm::append_range(row, e.delinearise(number, inner));
      emitGroup(group, row);
    });
  }
}

LogicalResult RowsNest::emit(Value tile) {
  SmallVector<Value> extents;
  for (int64_t axis = 0; axis < commonAxes(roots); ++axis)
    extents.push_back(e.extent(roots[0].type, axis));
  auto emitAt = [&](Value row) {
    Elements::Scope scope(elements);
    emitRow(e.delinearise(row, extents));
  };
  int64_t step = tileRows(nest);
  if (step == 1) {
    emitAt(tile);
  } else {
    Value from = e.mul(tile, step);
    Value to = e.min(e.add(from, e.index(step)), countRows(e, roots).device);
    e.loop(from, to, 1, emitAt);
  }
  if (streamBytes(nest) > 0) // The tile is done when others see all of it.
    e.fence();
  return elements.status();
}

//===----------------------------------------------------------------------===//
// Caches
//===----------------------------------------------------------------------===//

void RowsNest::emitAppend(const Root &root, ValueRange row) {
  ir::CacheAppendOp append = root.append;
  BatchPointers batch = e.batch(append.getBatch());
  Type i32 = e.builder.getI32Type();
  Value position = e.toIndex(e.load(batch.position, i32, row[0]));
  Value sequence = e.toIndex(e.load(batch.sequence, i32, row[0]));
  Value perPage = e.mul(e.dim("pageBlocks"), TENON_CACHE_BLOCK);
  Value pages = e.dim("P");
  Value number = e.div(position, perPage); // A negative one is past the end.
  Value isOutside = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::uge,
                                          number, pages);
  Value safe =
      arith::SelectOp::create(e.builder, isOutside, e.index(0), number);
  Value page =
      e.toIndex(e.load(batch.pages, i32, e.add(e.mul(sequence, pages), safe)));
  Value isAbsent = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt,
                                         page, e.index(0));
  Value fails = arith::OrIOp::create(e.builder, isOutside, isAbsent);
  e.emitFailure(fails, TENON_FAILURE_NO_PAGE, append, row[0], position);
  Value yes = arith::ConstantOp::create(e.builder, e.builder.getBoolAttr(true));
  e.ifThen(arith::XOrIOp::create(e.builder, fails, yes), [&] {
    Elements::Scope scope(elements);
    storeInPage(root, row, page, e.rem(position, perPage));
  });
}

// A block of 32 elements is one scale and, of keys, a byte in each of 32 rows
// of lanes; of values, 32 bytes beside each other.
void RowsNest::storeQuants(const Root &root, ValueRange row, Value block,
                           Value lane) {
  auto cache =
      cast<ir::CacheType>(ir::CacheAppendOp(root.append).getCache().getType());
  bool isKeys = cache.getLayout() == ir::CacheLayout::Keys;
  int64_t width = cache.getWidth(), blocks = width / kQuants;
  Type i8 = e.builder.getI8Type();
  Value head = e.add(e.mul(block, cache.getHeads()), row[1]);
  Value quants = e.address(e.resultPointer(nest, root.number), i8,
                           e.mul(head, cache.headBytes()));
  Value scales = e.address(quants, i8, e.index(cache.scalesOffset()));
  auto store = [&](Value number, const QuantizedBlock &made) {
    Value first = e.mul(number, kQuants);
    if (!isKeys) {
      Value scale = e.add(e.mul(lane, blocks), number);
      e.store(made.scale, scales, scale);
      Value at = e.add(e.mul(lane, width), first);
      for (auto [i, part] : llvm::enumerate(made.quants))
        e.store(part, quants, e.add(at, e.index(i * e.vectorWidth())),
                Lanes{e.vectorWidth()});
      return;
    }
    e.store(made.scale, scales, e.add(e.mul(number, TENON_CACHE_BLOCK), lane));
    Value at = e.add(e.mul(first, TENON_CACHE_BLOCK), lane);
    for (int64_t i = 0; i < kQuants; ++i) {
      Value quant =
          vector::ExtractOp::create(e.builder, made.quants[i / e.vectorWidth()],
                                    ArrayRef<int64_t>{i % e.vectorWidth()});
      e.store(quant, quants, e.add(at, e.index(i * TENON_CACHE_BLOCK)));
    }
  };
  elements.forQuantized(root.tensor, row, store);
}

void RowsNest::storeInPage(const Root &root, ValueRange row, Value page,
                           Value positionInPage) {
  auto cache =
      cast<ir::CacheType>(ir::CacheAppendOp(root.append).getCache().getType());
  int64_t width = cache.getWidth();
  Value pointer = e.resultPointer(nest, root.number);
  Value block = e.add(e.mul(page, e.dim("pageBlocks")),
                      e.div(positionInPage, TENON_CACHE_BLOCK));
  Value lane = e.rem(positionInPage, TENON_CACHE_BLOCK);
  if (cache.isQuantized())
    return storeQuants(root, row, block, lane);
  Value start = e.mul(block, cache.getHeads() * width * TENON_CACHE_BLOCK);
  auto stored = [&](Value value) {
    return ir::Emit(e.builder, e.builder.getLoc(), value.getType())
        .roundTo(value, cache.getElementType());
  };
  Value column = e.index(0);
  if (cache.getLayout() == ir::CacheLayout::Values) { // [heads][64][width]
    Value head = e.add(e.mul(row[1], TENON_CACHE_BLOCK), lane);
    start = e.add(start, e.mul(head, width));
    elements.forColumns(
        root.tensor, row, [&](ValueRange index, const Lanes &lanes) {
          column = e.add(index.back(), lanes.offset);
          e.store(stored(elements.element(root.tensor, index, lanes)), pointer,
                  e.add(start, column), lanes);
        });
    return;
  }
  // Keys lie in the lanes, [heads][width][64]: a row is computed in vectors and
  // then scattered.
  start = e.add(start, e.mul(row[1], width * TENON_CACHE_BLOCK));
  start = e.add(start, lane);
  SmallVector<Value> index(row);
  index.push_back(e.index(0));
  if (!isa<BlockArgument>(root.tensor))
    elements.stage(root.tensor, index);
  e.loop(e.index(0), e.index(width), 1, [&](Value at) {
    Elements::Scope scope(elements);
    Value value = elements.element(root.tensor, index, Lanes{1, Value(), at});
    e.store(stored(value), pointer, e.add(start, e.mul(at, TENON_CACHE_BLOCK)));
  });
}

} // namespace

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

/// The op of a nest that is not cut by rows of its results, if it is one.
template <typename Op> static Op rootOf(const Nest &nest) {
  if (nest.yield()->getNumOperands() != 1)
    return {};
  return nest.yield()->getOperand(0).getDefiningOp<Op>();
}

/// The sort of assignments that a nest is, if it is one.
static ir::MoeDispatchOp dispatchOf(const Nest &nest) {
  auto ops = nest.body->getOps<ir::MoeDispatchOp>();
  return ops.empty() ? ir::MoeDispatchOp() : *ops.begin();
}

Size rowsTiles(KernelEmitter &emitter, const Nest &nest) {
  if (dispatchOf(nest))
    return emitter.size(1);
  if (auto sum = rootOf<ir::SumRowsOp>(nest))
    return sumRowsTiles(emitter, sum);
  if (auto scatter = rootOf<ir::ScatterOp>(nest))
    return emitter.ceilDiv(emitter.size(scatter.getY().getType(), 0),
                           tileRows(nest));
  Elements elements(emitter);
  return emitter.ceilDiv(countRows(emitter, rootsOf(elements, nest)),
                         tileRows(nest));
}

LogicalResult emitRowsNest(KernelEmitter &emitter, const Nest &nest,
                           Value tile) {
  if (auto dispatch = dispatchOf(nest))
    return emitDispatch(emitter, nest, dispatch);
  if (auto sum = rootOf<ir::SumRowsOp>(nest))
    return emitSumRows(emitter, nest, sum, tile);
  if (auto scatter = rootOf<ir::ScatterOp>(nest))
    return emitScatter(emitter, nest, scatter, tile, tileRows(nest));
  return RowsNest(emitter, nest).emit(tile);
}

} // namespace tenon::codegen::cpu
