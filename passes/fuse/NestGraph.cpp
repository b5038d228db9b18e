//===- NestGraph.cpp - Which ops share a loop nest ------------------------===//

#include "passes/fuse/NestGraph.h"

#include "ir/tn/Linear.h"
#include "ir/tn/NestRole.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::passes;

// A norm of one row is computed anew by each tile of the matmuls that read it,
// if they have at most so many columns: that is cheaper than a fork-join.
static constexpr int64_t kMostPrologueColumns = 2048;

bool NestGraph::isCopied(Operation *op) const {
  return ir::nestRole(op) == ir::NestRole::Copied || isPrologue(op);
}

bool passes::isSource(Operation *op) {
  return ir::nestRole(op) == ir::NestRole::Source;
}

namespace {
using ir::NestRole;

bool sameLeadingAxes(RankedTensorType a, RankedTensorType b) {
  if (a.getRank() != b.getRank())
    return false;
  for (int64_t axis = 0; axis + 1 < a.getRank(); ++axis)
    if (!ir::sameExtent(a, axis, b, axis))
      return false;
  return true;
}

bool sameShape(RankedTensorType a, RankedTensorType b) {
  return sameLeadingAxes(a, b) &&
         (a.getRank() == 0 ||
          ir::sameExtent(a, a.getRank() - 1, b, b.getRank() - 1));
}

/// Two products that can accumulate in one tile: equal m, n and k, and both
/// with a matrix for each of a's leading axes or groups, or both with one for
/// all.
bool sameTile(ir::ProductOp a, ir::ProductOp b) {
  return a->getName() == b->getName() && a.getA() == b.getA() &&
         a.getOffsets() == b.getOffsets() &&
         a.getB().getType().getRank() == b.getB().getType().getRank() &&
         a.getTransposeA() == b.getTransposeA() &&
         a.getTransposeB() == b.getTransposeB() &&
         sameShape(a.getY().getType(), b.getY().getType());
}

/// The value behind copied ops, and whether each of them reads its own row.
struct Origin {
  Value value;
  bool ownRow = true;
  bool direct = true;
};

Origin originOf(const NestGraph &graph, OpOperand &operand) {
  Origin origin{operand.get(), ir::readsOwnRow(operand), true};
  while (Operation *op = origin.value.getDefiningOp()) {
    if (!graph.isCopied(op) || op->getNumOperands() == 0)
      break;
    origin.ownRow &= ir::readsOwnRow(op->getOpOperand(0));
    origin.direct = false;
    origin.value = op->getOperand(0);
  }
  return origin;
}

std::string nameOf(Operation *op) { return op->getName().stripDialect().str(); }

/// Whether matmuls of few columns, and nothing else, read an op's single row.
bool feedsNarrowMatmuls(Operation *op) {
  auto row = dyn_cast<ir::RowOp>(op);
  if (!row || !row.keepsColumns() || op->getNumResults() != 1)
    return false;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!type.hasStaticShape() || type.getNumElements() != type.getShape().back())
    return false;
  int64_t columns = 0;
  for (OpOperand &use : op->getUses()) {
    auto matmul = dyn_cast<ir::MatmulOp>(use.getOwner());
    if (!matmul || use.getOperandNumber() != 0 || matmul.getTransposeA() ||
        matmul->getBlock() != op->getBlock())
      return false;
    columns += matmul.getY().getType().getShape().back();
  }
  return columns > 0 && columns <= kMostPrologueColumns;
}

/// Whether an op rounds a weight that products alone read, as their right
/// factor: they round it while they stage it, and memory is not written.
bool roundsWeight(Operation *op) {
  auto cast = dyn_cast<ir::CastOp>(op);
  if (!cast || !cast.getX().getType().getElementType().isF32() ||
      !cast.getType().getElementType().isBF16() ||
      !cast.getType().hasStaticShape())
    return false;
  Operation *maker = cast.getX().getDefiningOp();
  return (!maker || isSource(maker)) &&
         llvm::all_of(cast->getUses(), [&](OpOperand &use) {
           return isa<ir::ProductOp>(use.getOwner()) &&
                  use.getOperandNumber() == 1 &&
                  use.getOwner()->getBlock() == op->getBlock();
         });
}
} // namespace

NestGraph::NestGraph(Block &block) {
  for (Operation &op : block.without_terminator())
    assign(&op);
  // A view that something outside kernels reads is made by a nest of its own.
  // Backwards, so that a view of a view is copied, not made.
  for (Operation &op : llvm::reverse(block))
    if (isCopied(&op) && !isa<ir::ReshapeOp>(op) && isReadOutside(&op))
      create(ir::NestKind::Rows, &op, /*isKernel=*/true);
}

bool NestGraph::isReadOutside(Operation *op) const {
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    if (const Nest *nest = nestWith(user))
      return !nest->isKernel;
    if (isCopied(user))
      return isa<ir::ReshapeOp>(user) && isReadOutside(user);
    return true;
  });
}

const Nest *NestGraph::nestWith(Operation *op) const {
  auto it = nestOf.find(op);
  return it == nestOf.end() ? nullptr : &nests[it->second];
}

NestGraph::NestId NestGraph::create(ir::NestKind kind, Operation *op,
                                    bool isKernel) {
  NestId id = nests.size();
  nests.push_back({kind, isKernel, {op}, {}});
  nestOf[op] = id;
  return id;
}

void NestGraph::assign(Operation *op) {
  std::vector<std::string> reasons;
  SmallVector<NestId> found;
  NestId id = kNone;
  switch (ir::nestRole(op)) {
  case NestRole::Source:
  case NestRole::Copied:
    return;
  case NestRole::Host:
    create(ir::NestKind::Rows, op, /*isKernel=*/false);
    return;
  case NestRole::Matmul:
    id = create(ir::NestKind::Matmul, op, true);
    break;
  case NestRole::Attention:
    id = create(ir::NestKind::Attention, op, true);
    break;
  case NestRole::Pack:
    id = create(ir::NestKind::Pack, op, true);
    break;
  case NestRole::Alone:
    id = create(ir::NestKind::Rows, op, true);
    nests[id].notFused.push_back(nameOf(op) + ": reads whole rows of memory");
    return;
  case NestRole::Element:
  case NestRole::Row:
    if (roundsWeight(op)) {
      prologues.insert(op);
      return;
    }
    found = candidates(op, reasons);
    if (auto overwrite = dyn_cast<ir::OverwriteOp>(op))
      llvm::erase_if(found, [&](NestId nest) {
        return readsElsewhere(overwrite.getOld(), nest);
      });
    if (join(op, found, reasons))
      return;
    if (feedsNarrowMatmuls(op)) {
      prologues.insert(op);
      return;
    }
    id = create(ir::NestKind::Rows, op, true);
    nests[id].notFused = std::move(reasons);
    return;
  }
  for (OpOperand &operand : op->getOpOperands())
    if (Operation *maker = originOf(*this, operand).value.getDefiningOp())
      if (nestOf.contains(maker) && nests[nestOf[maker]].isKernel)
        nests[id].notFused.push_back(
            nameOf(op) + ": reads the rows of " + nameOf(maker) +
            " once for each tile, so they are computed before");
}

/// Whether a nest reads elements of a value at other indices than those it
/// computes, so that it cannot change the value while it runs.
bool NestGraph::readsElsewhere(Value value, NestId nest) const {
  return llvm::any_of(ir::usesOf(value), [&](OpOperand *use) {
    Operation *reader = use->getOwner();
    if (isPrologue(reader)) // copied into the nests that read it
      return llvm::any_of(reader->getUsers(), [&](Operation *user) {
        return nestOf.lookup_or(user, kNone) == nest;
      });
    return nestOf.lookup_or(reader, kNone) == nest &&
           (use->get() != value || !isa<ir::PointwiseOp>(reader));
  });
}

NestGraph::NestId NestGraph::producer(Value value) const {
  Operation *op = value.getDefiningOp();
  return op ? nestOf.lookup_or(op, kNone) : kNone;
}

SmallVector<NestGraph::NestId>
NestGraph::candidates(Operation *op, std::vector<std::string> &reasons) const {
  SmallVector<NestId> found, refused;
  bool elementwise = ir::nestRole(op) == NestRole::Element;
  for (OpOperand &operand : op->getOpOperands()) {
    Origin origin = originOf(*this, operand);
    NestId nest = producer(origin.value);
    if (nest == kNone || !nests[nest].isKernel)
      continue;
    Operation *maker = origin.value.getDefiningOp();
    auto refuse = [&](const std::string &reason) {
      reasons.push_back(nameOf(op) + " after " + nameOf(maker) + ": " + reason);
      auto row = dyn_cast<ir::RowOp>(maker);
      if (!row || row.keepsColumns())
        refused.push_back(nest);
    };
    if (ir::nestRole(maker) == NestRole::Alone || isCopied(maker)) {
      refuse("the producer is a kernel of its own");
      continue;
    }
    switch (nests[nest].kind) {
    case ir::NestKind::Matmul:
      if (elementwise && origin.direct &&
          sameShape(ir::rowType(maker), ir::rowType(op)))
        found.push_back(nest);
      else
        refuse("needs whole rows, a matmul tile has a part");
      break;
    case ir::NestKind::Rows:
      if (origin.ownRow && isa<RankedTensorType>(origin.value.getType()) &&
          sameLeadingAxes(ir::rowType(maker), ir::rowType(op)))
        found.push_back(nest);
      else
        refuse("works on other rows");
      break;
    default:
      refuse("the producer has no epilogue");
    }
  }
  // Two operands may read one nest, and one of them in a way it cannot be. What
  // reduces a row has one value, which a view gives back to the row.
  llvm::erase_if(
      found, [&](NestId nest) { return llvm::is_contained(refused, nest); });
  // An epilogue is better than rows of its own: memory is not touched again.
  llvm::stable_sort(found, [&](NestId a, NestId b) {
    return nests[a].kind == ir::NestKind::Matmul &&
           nests[b].kind != ir::NestKind::Matmul;
  });
  found.erase(llvm::unique(found), found.end());
  return found;
}

bool NestGraph::join(Operation *op, ArrayRef<NestId> found,
                     std::vector<std::string> &reasons) {
  bool waits = false;
  for (NestId target : found) {
    // A nest that reads another does so in a way that kept it from joining.
    auto readsOther = [&](NestId other) {
      return llvm::is_contained(dependences(target), other) ||
             llvm::is_contained(dependences(other), target);
    };
    SmallVector<NestId> apart =
        llvm::to_vector(llvm::make_filter_range(found, readsOther));
    nestOf[op] = target;
    nests[target].ops.push_back(op);
    if (reachesThroughOthers({target}, {target})) {
      // An operand of `op` depends on the nest by way of another kernel.
      nests[target].ops.pop_back();
      nestOf.erase(op);
      waits = true;
      continue;
    }
    for (NestId other : found) {
      if (other == target || nests[other].ops.empty() ||
          nests[other].kind != nests[target].kind)
        continue;
      bool tiles = nests[target].kind != ir::NestKind::Matmul ||
                   sameTile(cast<ir::ProductOp>(nests[target].ops.front()),
                            cast<ir::ProductOp>(nests[other].ops.front()));
      if (tiles && !llvm::is_contained(apart, other) &&
          !reachesThroughOthers({target, other}, {target, other}))
        merge(target, other);
      else
        nests[target].notFused.push_back(nameOf(op) +
                                         ": joins one of its producers only");
    }
    llvm::append_range(nests[target].notFused, reasons);
    return true;
  }
  if (waits)
    reasons.push_back(nameOf(op) + ": would wait for itself");
  return false;
}

void NestGraph::merge(NestId into, NestId from) {
  for (Operation *op : nests[from].ops)
    nestOf[op] = into;
  llvm::append_range(nests[into].ops, nests[from].ops);
  llvm::append_range(nests[into].notFused, nests[from].notFused);
  nests[from] = Nest{nests[from].kind, true, {}, {}};
  // Matmuls first, then program order: the first op roots the nest.
  llvm::stable_sort(nests[into].ops, [](Operation *a, Operation *b) {
    bool rootA = isa<ir::ProductOp>(a), rootB = isa<ir::ProductOp>(b);
    return rootA != rootB ? rootA : a->isBeforeInBlock(b);
  });
}

void NestGraph::collectDependences(Value value, NestId self,
                                   SmallVectorImpl<NestId> &found) const {
  Operation *op = value.getDefiningOp();
  if (!op)
    return;
  NestId nest = nestOf.lookup_or(op, kNone);
  // Kernels copy a view, though a nest makes it for others.
  bool copies = nests[self].isKernel && isCopied(op);
  if (nest != kNone && nest != self && !copies) {
    found.push_back(nest);
    return;
  }
  if (nest != self)
    for (Value operand : op->getOperands())
      collectDependences(operand, self, found);
}

/// Who reads a value does so before it is changed, in place.
void NestGraph::collectReaders(OpOperand &use, NestId self,
                               SmallVectorImpl<NestId> &found) const {
  if (!ir::changesOperand(use))
    return;
  auto note = [&](Operation *reader) {
    while (reader && !nestOf.contains(reader))
      reader = reader->getParentOp(); // a branch or a loop
    NestId nest = reader ? nestOf.lookup(reader) : self;
    if (nest != self)
      found.push_back(nest);
  };
  for (OpOperand *other : ir::usesOf(use.get())) {
    if (ir::changesOperand(*other))
      continue;
    if (isPrologue(other->getOwner()))
      llvm::for_each(other->getOwner()->getUsers(), note);
    else
      note(other->getOwner());
  }
}

SmallVector<NestGraph::NestId> NestGraph::dependences(NestId nest) const {
  SmallVector<NestId> found;
  for (Operation *op : nests[nest].ops)
    op->walk([&](Operation *inner) {
      for (OpOperand &operand : inner->getOpOperands()) {
        collectDependences(operand.get(), nest, found);
        collectReaders(operand, nest, found);
      }
    });
  llvm::sort(found);
  found.erase(llvm::unique(found), found.end());
  return found;
}

bool NestGraph::reachesThroughOthers(ArrayRef<NestId> from,
                                     ArrayRef<NestId> to) const {
  SmallVector<NestId> stack;
  for (NestId start : from)
    for (NestId next : dependences(start))
      if (!llvm::is_contained(to, next))
        stack.push_back(next);
  llvm::DenseSet<NestId> seen;
  while (!stack.empty()) {
    NestId nest = stack.pop_back_val();
    if (!seen.insert(nest).second)
      continue;
    for (NestId next : dependences(nest)) {
      if (llvm::is_contained(to, next))
        return true;
      stack.push_back(next);
    }
  }
  return false;
}

std::vector<Group> NestGraph::schedule(size_t most) const {
  std::vector<SmallVector<NestId>> waits(nests.size());
  for (NestId id = 0; id < NestId(nests.size()); ++id)
    waits[id] = dependences(id);
  std::vector<bool> done(nests.size());
  auto isReady = [&](NestId id) {
    return !done[id] && !nests[id].ops.empty() &&
           llvm::all_of(waits[id], [&](NestId wait) { return done[wait]; });
  };
  // Host ops have effects (streaming), so they keep their order.
  NestId nextHost = 0;
  auto advanceHost = [&] {
    while (nextHost < NestId(nests.size()) &&
           (nests[nextHost].isKernel || done[nextHost]))
      ++nextHost;
  };
  std::vector<Group> groups;
  for (;;) {
    advanceHost();
    SmallVector<NestId> ready;
    for (NestId id = 0; id < NestId(nests.size()); ++id)
      if (isReady(id) && (nests[id].isKernel || id == nextHost))
        ready.push_back(id);
    if (ready.empty())
      return groups;
    const Nest &first = nests[ready.front()];
    Group group;
    for (NestId id : ready) {
      bool joins = first.isKernel && nests[id].isKernel &&
                   nests[id].kind == first.kind && group.size() < most;
      if (id != ready.front() && !joins)
        continue;
      group.push_back(&nests[id]);
      done[id] = true;
    }
    groups.push_back(group);
  }
}
