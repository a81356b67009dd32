// Frames as Kotlin describes them: plain numbers beside the buffers that hold the pixels.
#ifndef TALLYLENS_IMAGE_H
#define TALLYLENS_IMAGE_H

#include "memory.h"

namespace tally::jni {

enum ImageField {
  kFormat,
  kWidth,
  kHeight,
  kRotation,
  kStride,  // three of each
  kOffset = kStride + 3,
  kChromaStep = kOffset + 3,
  kRange,
  kMatrix,
  kImageFields
};

inline bool read_image(JNIEnv* env, jobject fields, const jobject (&planes)[3],
                       tally_image* image) {
  const int32_t* given = Span(env, fields).as<int32_t>(0, kImageFields);
  if (given == nullptr) return false;
  *image = {};
  image->struct_size = sizeof(tally_image);
  image->format = given[kFormat];
  image->width = given[kWidth];
  image->height = given[kHeight];
  image->rotation = given[kRotation];
  image->chroma_step = given[kChromaStep];
  image->yuv_range = given[kRange];
  image->yuv_matrix = given[kMatrix];
  for (int i = 0; i < 3; ++i) {
    const Span plane(env, planes[i]);
    const int32_t offset = given[kOffset + i];
    if (offset < 0 || (plane.data != nullptr && static_cast<size_t>(offset) > plane.bytes))
      return false;
    image->strides[i] = given[kStride + i];
    if (plane.data == nullptr) continue;
    image->planes[i] = plane.data + offset;
    image->plane_bytes[i] = plane.bytes - static_cast<size_t>(offset);
  }
  return true;
}

}  // namespace tally::jni

#endif  // TALLYLENS_IMAGE_H
