//===- ChildProcess.h - Work whose memory is given back ---------*- C++ -*-===//

#ifndef TENON_TOOLS_CHILDPROCESS_H
#define TENON_TOOLS_CHILDPROCESS_H

#include "runtime/base/Status.h"

#include <functional>

namespace tenon::tools {

/// Runs `work` in a copy of this process and waits for it: the libraries that
/// it loads and the memory that it takes are gone afterwards, and a crash in it
/// is an error. It leaves what it makes in files. Ctrl-C ends both.
/// Called where no other thread runs. Errors: those of `work`; INTERNAL (a
/// crash), RESOURCE_EXHAUSTED (no memory for it).
Status runInChild(const std::function<Status()> &work);

} // namespace tenon::tools
#endif // TENON_TOOLS_CHILDPROCESS_H
