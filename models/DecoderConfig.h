//===- DecoderConfig.h - What decoders' files have in common ----*- C++ -*-===//

#ifndef TENON_MODELS_DECODERCONFIG_H
#define TENON_MODELS_DECODERCONFIG_H

#include "frontend/dsl/Sugar.h"
#include "models/Decoder.h"

#include <initializer_list>

namespace tenon::models {

/// The sizes of a decoder with grouped heads and a gated feed-forward part.
struct DecoderConfig {
  int64_t layers, width, hidden, heads, keyHeads, headWidth, vocabulary,
      context;
  double epsilon;
  Window window;
  CacheElement cacheType = CacheElement::f32;

  /// Reads a GGUF's metadata or a config.json. Heads are `headWidth` wide where
  /// the file does not say; 0: as wide as divides `width` among them.
  /// Errors: noted in `read`.
  void readSizes(const ModelFiles &files, ConfigReader &read,
                 int64_t usualHeadWidth);
  /// Reads the window of attention; none where the files have no such keys.
  /// Errors: noted in `read` (sizes below 0, globals without a window).
  void readWindow(ConfigReader &read);
};

/// Reads how rope is scaled for longer contexts: not, linearly, or by YaRN.
/// Errors: noted in `read` (another way).
void readRopeScaling(ConfigReader &read, RopeOptions &rope);

/// `own` after the names that every such decoder has: the embedding, the last
/// norm, the weights of attention and of the gated feed-forward part.
std::vector<WeightName> decoderNames(std::initializer_list<WeightName> own);

} // namespace tenon::models
#endif // TENON_MODELS_DECODERCONFIG_H
