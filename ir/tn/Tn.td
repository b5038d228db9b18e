//===- Tn.td - Every op of the dialect ------------------------------------===//

#ifndef TN_TD
#define TN_TD

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"
include "ir/tn/Program.td"
include "ir/tn/Elementwise.td"
include "ir/tn/View.td"
include "ir/tn/Reduce.td"
include "ir/tn/Norm.td"
include "ir/tn/Matmul.td"
include "ir/tn/Gather.td"
include "ir/tn/Moe.td"
include "ir/tn/Attention.td"
include "ir/tn/SelfAttention.td"
include "ir/tn/Sampling.td"
include "ir/tn/Control.td"
include "ir/tn/Gradient.td"
include "ir/tn/Kernel.td"

#endif // TN_TD
