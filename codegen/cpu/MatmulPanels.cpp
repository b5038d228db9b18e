//===- MatmulPanels.cpp - Panels of an operand that is not packed ---------===//
//
// A segment of a panel is staged in scratch, as f32 [k][32] or as words of two
// bf16 [k / 2][32], and used by all rows of a tile. Where the operand has n
// along rows of k, square blocks are transposed in registers, a line of a cache
// or half of one from each row: the rows may all lie in one set of it.
// Meanwhile the register tiles ask for the lines from which the next panel is
// staged: nothing else would foresee them.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulNest.h"
#include "codegen/cpu/PanelReader.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

// Words of 128 bits, which shuffles move inside, or as they are.
static constexpr int64_t kWords = 4;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

// First in parts of 4 words by 4 rows, then the parts themselves.
SmallVector<Value> transposed(KernelEmitter &e, ArrayRef<Value> rows) {
  int64_t lanes = static_cast<int64_t>(rows.size());
  // Those elements of each 4 of a, followed by 4 of b, that `places` name.
  auto inParts = [&](Value a, Value b, ArrayRef<int64_t> places) -> Value {
    SmallVector<int64_t> order;
    for (int64_t part = 0; part < lanes; part += kWords)
      for (int64_t place : places)
        order.push_back(part + place % kWords + place / kWords * lanes);
    return vector::ShuffleOp::create(e.builder, a, b, order);
  };
  SmallVector<Value> matrix(
      lanes); // part p of vector 4 * g + j: word 4 * p + j
  for (int64_t g = 0; g < lanes; g += kWords) {
    Value low[2], high[2];
    for (int64_t i : {0, 1}) {
      Value a = rows[g + 2 * i], b = rows[g + 2 * i + 1];
      low[i] = inParts(a, b, {0, 4, 1, 5});
      high[i] = inParts(a, b, {2, 6, 3, 7});
    }
    matrix[g] = inParts(low[0], low[1], {0, 1, 4, 5});
    matrix[g + 1] = inParts(low[0], low[1], {2, 3, 6, 7});
    matrix[g + 2] = inParts(high[0], high[1], {0, 1, 4, 5});
    matrix[g + 3] = inParts(high[0], high[1], {2, 3, 6, 7});
  }
  // Parts 0, 2, ... or 1, 3, ... of a and of b: a bit of the part's number
  // becomes one of the vector's.
  auto ofParts = [&](Value a, Value b, int64_t first) -> Value {
    SmallVector<int64_t> order;
    for (int64_t part = first * kWords; part < 2 * lanes; part += 2 * kWords)
      for (int64_t word = 0; word < kWords; ++word)
        order.push_back(part + word);
    return vector::ShuffleOp::create(e.builder, a, b, order);
  };
  for (int64_t distance = kWords; distance < lanes; distance *= 2) {
    SmallVector<Value> next(lanes);
    for (int64_t i = 0; i < lanes; ++i) {
      int64_t first = i & ~distance;
      next[i] = ofParts(matrix[first], matrix[first | distance],
                        (i & distance) ? 1 : 0);
    }
    matrix = std::move(next);
  }
  return matrix;
}

/// The column of a lane: past the last one that one is read again.
Value MatmulNest::columnOf(const Panel &panel, Value lane) {
  Value column = e.add(panel.column, lane);
  return panel.isWhole ? column : e.min(column, e.sub(allColumns, e.index(1)));
}

/// The first elements of the rows that become lanes [lane, + those of a
/// register) of a panel.
SmallVector<MatmulNest::Index>
MatmulNest::rowsOf(ir::ProductOp product, const Panel &panel, Value lane) {
  SmallVector<Index> starts;
  for (int64_t row = 0; row < e.vectorWidth(); ++row) {
    Index index = matrixIndex(typeOf(product.getB()));
    index[index.size() - 2] = columnOf(panel, e.add(lane, e.index(row)));
    elements.prepare(product.getB(), index);
    starts.push_back(index);
  }
  return starts;
}

/// The words `at` of these rows in the panel's segment: vector i holds word i
/// of each.
SmallVector<Value> MatmulNest::transposedWords(ir::ProductOp product,
                                               const Panel &panel,
                                               ArrayRef<Index> starts,
                                               const Lanes &at) {
  Value b = product.getB(), from = panel.segment.from, source = sourceOf(b);
  RankedTensorType type = typeOf(source);
  bool isPairs = panel.format.group() > 1;
  SmallVector<Value> block;
  for (Index index : starts) {
    if (!isPairs) {
      Lanes lanes{at.width, at.mask, e.add(from, at.offset)};
      block.push_back(elements.element(b, index, lanes));
      continue;
    }
    index.back() = from;
    Value start = e.address(e.pointer(storedAt(source)), type.getElementType(),
                            e.linearise(type, index));
    block.push_back(pairsOfLine(e, type.getElementType(), start, at));
  }
  return transposed(e, block);
}

// Lanes [lane, + lanes of a register).
void MatmulNest::stageTransposedRows(ir::ProductOp product, const Panel &panel,
                                     Value lane) {
  int64_t lanes = e.vectorWidth();
  SmallVector<Index> starts = rowsOf(product, panel, lane);
  Value words = e.div(panel.segment.count, panel.format.group());
  e.columns(words, lanes, [&](const Lanes &at) {
    Elements::Scope scope(elements);
    // What is stored past the segment is in the panel, and not read.
    for (auto [i, value] :
         llvm::enumerate(transposedWords(product, panel, starts, at)))
      e.store(value, panel.target,
              e.add(e.mul(e.add(at.offset, e.index(i)), kPanelLanes), lane),
              Lanes{lanes});
  });
}

void MatmulNest::stageTransposed(ir::ProductOp product, const Panel &panel) {
  e.loop(e.index(0), e.index(kPanelLanes), e.vectorWidth(), [&](Value lane) {
    Elements::Scope scope(elements);
    stageTransposedRows(product, panel, lane);
  });
  if (int64_t group = panel.format.group(); group > 1)
    stageRightColumns(product, panel, e.div(panel.segment.count, group));
}

// Words [fromWord, the last one] of columns that have their elements along k,
// one by one.
void MatmulNest::stageRightColumns(ir::ProductOp product, const Panel &panel,
                                   Value fromWord) {
  Value b = product.getB(), source = sourceOf(b);
  RankedTensorType type = typeOf(b), stored = typeOf(source);
  const Segment &segment = panel.segment;
  int64_t last = type.getRank() - 1, group = panel.format.group();
  Value words = e.div(e.add(segment.count, e.index(group - 1)), group);
  if (std::optional<int64_t> from = getConstantIntValue(fromWord);
      from && from == getConstantIntValue(words))
    return;
  SmallVector<Value> index = matrixIndex(type);
  auto wordAt = [&](Value k) -> Value {
    auto lineAt = [&](Value at) {
      index[last] = at;
      return e.address(e.pointer(storedAt(source)), stored.getElementType(),
                       e.linearise(stored, index));
    };
    Value next = e.min(e.add(k, e.index(1)), e.sub(segment.to, e.index(1)));
    return pairLines(e, stored.getElementType(), lineAt(k), lineAt(next),
                     {1, Value(), e.index(0)});
  };
  e.loop(e.index(0), e.index(kPanelLanes), 1, [&](Value lane) {
    Elements::Scope scope(elements);
    index[last - 1] = columnOf(panel, lane);
    index[last] = e.index(0);
    if (isa<ir::BlockType>(type.getElementType()))
      elements.prepare(b, index); // its values, once a row
    e.loop(fromWord, words, 1, [&](Value word) {
      Elements::Scope inner(elements);
      Value k = e.add(segment.from, e.mul(word, group)), value;
      index[last] = k;
      if (group == 1) {
        elements.prepare(b, index);
        value = elements.element(b, index, {});
      } else {
        value = wordAt(k);
      }
      e.store(value, panel.target, e.add(e.mul(word, kPanelLanes), lane));
    });
  });
}

// Rows of n, each of one k.
void MatmulNest::stageRightRows(ir::ProductOp product, const Panel &panel) {
  Value b = product.getB();
  Value count =
      panel.isWhole ? e.index(kPanelLanes) : e.sub(allColumns, panel.column);
  e.loop(e.index(0), panel.segment.count, 1, [&](Value k) {
    Index index = rowOfK(typeOf(b), e.add(panel.segment.from, k));
    forEachRun(
        b, index, panel.column, count, [&](ValueRange at, const Lanes &lanes) {
          Value lane = e.sub(e.add(at.back(), lanes.offset), panel.column);
          e.store(elements.element(b, at, lanes), panel.target,
                  e.add(e.mul(k, kPanelLanes), lane),
                  Lanes{lanes.width, lanes.mask});
        });
  });
}

// Two rows of bf16, or rounded to it, become the halves of words.
void MatmulNest::stageRightPairs(ir::ProductOp product, const Panel &panel) {
  Value b = sourceOf(product.getB());
  RankedTensorType type = typeOf(b);
  const Segment &segment = panel.segment;
  Value count =
      panel.isWhole ? e.index(kPanelLanes) : e.sub(allColumns, panel.column);
  auto lineAt = [&](Value k) {
    Index index = rowOfK(type, e.add(segment.from, k));
    index.back() = panel.column;
    return e.address(e.pointer(storedAt(b)), type.getElementType(),
                     e.linearise(type, index));
  };
  Value words = e.div(e.add(segment.count, e.index(1)), 2);
  e.loop(e.index(0), words, 1, [&](Value word) {
    Value k = e.mul(word, 2);
    Value high = lineAt(k),
          low = lineAt(
              e.min(e.add(k, e.index(1)), e.sub(segment.count, e.index(1))));
    e.columns(count, e.vectorWidth(), [&](const Lanes &lanes) {
      e.store(pairLines(e, type.getElementType(), high, low, lanes),
              panel.target, e.add(e.mul(word, kPanelLanes), lanes.offset),
              Lanes{lanes.width, lanes.mask});
    });
  });
}

// Rows of blocks.
void MatmulNest::stageBlockedRows(ir::ProductOp product, const Panel &panel) {
  Value b = product.getB();
  RankedTensorType type = typeOf(b);
  base::ElementType format = ir::storageOf(type.getElementType());
  const base::ElementInfo &info = base::info(format);
  SmallVector<Value> index = matrixIndex(type);
  int64_t lanes = e.vectorWidth();
  e.loop(e.index(0), panel.segment.count, 1, [&](Value k) {
    index[index.size() - 2] = e.add(panel.segment.from, k);
    Value element = e.linearise(type, index);
    Value row =
        e.address(e.pointer(storedAt(b)), e.builder.getI8Type(),
                  e.mul(e.div(element, info.blockElements), info.blockBytes));
    e.loop(e.index(0), e.index(kPanelLanes), lanes, [&](Value lane) {
      e.store(blockedValues(e, format, row, e.add(panel.column, lane)),
              panel.target, e.add(e.mul(k, kPanelLanes), lane), Lanes{lanes});
    });
  });
}

/// The number of the first panel of the tile's matrix of a packed b.
Value MatmulNest::firstPanel(RankedTensorType type) {
  if (type.getRank() == 2)
    return e.index(0);
  return e.mul(matrix, llvm::divideCeil(type.getDimSize(1), kPanelLanes));
}

// The operand's own panels hold rows in lanes: columns of a group of them are
// unpacked as for a product over the columns, and transposed.
void MatmulNest::stagePackedRows(ir::ProductOp product, const Panel &panel) {
  Value b = product.getB();
  RankedTensorType type = typeOf(b);
  ir::PanelFormat format =
      ir::panelFormat(ir::storageOf(type.getElementType()));
  int64_t lanes = e.vectorWidth(), subBlock = format.subBlock;
  PanelReader reader(e, format, lanes);
  Value group = e.mul(e.div(panel.column, ir::kPanelGroup), format.perGroup());
  auto columnsFrom = [&](Value source, Value lane, int64_t first) {
    PanelSubBlock block =
        reader.at(source, e.add(group, e.index(first / subBlock)));
    Value scale = reader.scale(block, lane), minimum;
    if (format.hasMin)
      minimum = reader.minimum(block, lane);
    ir::Emit a(e.builder, e.builder.getLoc(), scale.getType());
    SmallVector<Value> unpacked;
    for (int64_t c = first % subBlock; c < first % subBlock + lanes; ++c) {
      Value quad = reader.quad(block, e.index(c / ir::kQuad), lane);
      Value number = reader.number(quad, c % ir::kQuad);
      // The product is exact, so that the fused form rounds as the sum does.
      unpacked.push_back(minimum ? a.fma(scale, number, minimum)
                                 : a.mul(scale, number));
    }
    return unpacked;
  };
  Value numbers =
      e.div(e.add(panel.segment.count, e.index(kPanelLanes - 1)), kPanelLanes);
  Value start = e.add(firstPanel(type), e.div(panel.segment.from, kPanelLanes));
  e.loop(e.index(0), numbers, 1, [&](Value number) {
    Value source = e.address(
        e.pointer(storedAt(b)), e.builder.getI8Type(),
        e.mul(e.add(start, number), format.panelBytes(type.getShape().back())));
    e.loop(e.index(0), e.index(kPanelLanes), lanes, [&](Value lane) {
      Value row = e.add(e.mul(number, kPanelLanes), lane);
      for (int64_t first = 0; first < kPanelLanes; first += lanes)
        for (auto [i, values] :
             llvm::enumerate(transposed(e, columnsFrom(source, lane, first))))
          e.store(
              values, panel.target,
              e.add(e.mul(e.add(row, e.index(i)), kPanelLanes), e.index(first)),
              Lanes{lanes});
    });
  });
}

/// Calls `body` for `width` columns of a panel, apart where all of them are
/// there and where not.
void MatmulNest::forWhole(Panel panel, int64_t width,
                          function_ref<void(const Panel &)> body) {
  std::optional<int64_t> known = getConstantIntValue(allColumns);
  panel.isWhole = known && *known % width == 0;
  if (panel.isWhole)
    return body(panel);
  Value end = e.add(panel.column, e.index(width));
  for (bool isWhole : {true, false}) {
    panel.isWhole = isWhole;
    auto is = isWhole ? arith::CmpIPredicate::sle : arith::CmpIPredicate::sgt;
    e.ifThen(arith::CmpIOp::create(e.builder, is, end, allColumns), [&] {
      Elements::Scope scope(elements);
      body(panel);
    });
  }
}

Value MatmulNest::stageRight(ir::ProductOp product, Value panelColumn,
                             const Segment &segment) {
  Value b = product.getB();
  ir::PanelFormat format = formatOf(product);
  Value target = e.scratch(format.panelBytes(kSegment));
  bool isBlocked = isa<ir::BlockType>(typeOf(b).getElementType());
  auto stage = [&](const Panel &panel) {
    if (!product.getTransposeB() && isPacked(product))
      return stagePackedRows(product, panel);
    if (!product.getTransposeB() && isBlocked)
      return stageBlockedRows(product, panel);
    if (!product.getTransposeB() && format.group() > 1)
      return stageRightPairs(product, panel);
    if (!product.getTransposeB())
      return stageRightRows(product, panel);
    if (!isBlocked && elements.runLength(b) == 0)
      return stageTransposed(product, panel);
    stageRightColumns(product, panel, e.index(0));
  };
  forWhole({panelColumn, segment, format, target}, kPanelLanes, stage);
  return target;
}

/// Where the lines begin from which the panel of `column` is staged, from k on.
void MatmulNest::addressNext(ir::ProductOp product, Value column, Value k,
                             NextPanels &next) {
  Value b = sourceOf(product.getB());
  RankedTensorType type = typeOf(b);
  if (!isPacked(product)) {
    bool isTransposed = product.getTransposeB();
    Index index = rowOfK(type, isTransposed ? column : k);
    index.back() = isTransposed ? k : column;
    next.panels.push_back(e.address(e.pointer(storedAt(b)),
                                    type.getElementType(),
                                    e.linearise(type, index)));
    return;
  }
  ir::PanelFormat format =
      ir::panelFormat(ir::storageOf(type.getElementType()));
  Value inSuper = e.rem(column, format.superBlock);
  Value byte =
      e.add(e.mul(e.div(column, format.superBlock), format.superBlockBytes()),
            e.mul(e.div(inSuper, ir::kPanelGroup), format.groupBytes()));
  Value number = e.add(firstPanel(type), e.div(k, kPanelLanes));
  Value panel = e.mul(number, next.rowBytes);
  next.panels.push_back(e.address(e.pointer(storedAt(b)), e.builder.getI8Type(),
                                  e.add(panel, byte)));
}

/// What is staged after the panels of `column`: those of the columns that
/// follow in the tile, at its end the next segment of the first ones.
NextPanels MatmulNest::nextPanels(ir::ProductOp product, Value column,
                                  const Segment &segment) {
  constexpr int64_t kLineBytes = 64;
  Value b = sourceOf(product.getB());
  RankedTensorType type = typeOf(b);
  Type element = type.getElementType();
  bool isPlain = isa<FloatType>(element) && !isPacked(product);
  if (!storedAt(b) || !isStaged(product) || (!isPlain && !isPacked(product)))
    return {};
  NextPanels next;
  if (isPlain) {
    int64_t bytes = element.getIntOrFloatBitWidth() / 8;
    next.bytesOfStep = kPanelLanes * bytes;
    next.rowBytes = e.mul(e.extent(type, type.getRank() - 1), bytes);
    next.linesOfRow =
        product.getTransposeB()
            ? e.max(e.div(e.mul(segment.count, bytes), kLineBytes), e.index(1))
            : e.index(kPanelLanes * bytes / kLineBytes);
  } else { // A group of columns of each panel of the segment.
    ir::PanelFormat format = ir::panelFormat(ir::storageOf(element));
    int64_t lines =
        llvm::divideCeil(format.groupsByte() + format.groupBytes(), kLineBytes);
    next.bytesOfStep = lines * kLineBytes / kPanelLanes;
    next.rowBytes = e.index(format.panelBytes(type.getShape().back()));
    next.linesOfRow = e.index(lines);
  }
  Value after = e.add(column, e.index(registers.columns()));
  Value isLast = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::sge,
                                       after, columns);
  Value k =
      arith::SelectOp::create(e.builder, isLast, segment.to, segment.from);
  Value n = e.add(firstColumn, arith::SelectOp::create(e.builder, isLast,
                                                       e.index(0), after));
  for (int64_t p = 0; p < registers.panels; ++p)
    addressNext(product, e.add(n, e.index(p * kPanelLanes)), k, next);
  return next;
}

} // namespace tenon::codegen::cpu
