// Buffers, handles and strings of Java in C++.
#ifndef TALLYLENS_MEMORY_H
#define TALLYLENS_MEMORY_H

#include <jni.h>

#include <cstdint>
#include <cstring>

#include "tally.h"

namespace tally::jni {

/// Memory of a direct buffer; empty for null.
struct Span {
  Span(JNIEnv* env, jobject buffer) {
    if (buffer == nullptr) return;
    data = static_cast<uint8_t*>(env->GetDirectBufferAddress(buffer));
    if (data != nullptr) bytes = static_cast<size_t>(env->GetDirectBufferCapacity(buffer));
  }
  template <typename T>
  T* as(size_t offset, size_t count = 1) const {
    if (offset > bytes || count > (bytes - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<T*>(data + offset);
  }
  uint8_t* data = nullptr;
  size_t bytes = 0;
};

template <typename Handle>
Handle* pointer(jlong handle) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): Kotlin holds addresses as numbers.
  return reinterpret_cast<Handle*>(static_cast<intptr_t>(handle));
}

inline jlong handle_of(const void* made) {
  return static_cast<jlong>(reinterpret_cast<intptr_t>(made));
}

/// The handle that a create function made, or nothing: its error text is in `out` already.
inline jint created(int32_t status, const void* made, const Span& out) {
  if (status != TALLY_OK) return status;
  const jlong handle = handle_of(made);
  std::memcpy(out.data, &handle, sizeof handle);
  return TALLY_OK;
}

inline jstring text(JNIEnv* env, const char* chars) {
  // Modified UTF-8 has no 4-byte forms: anything else goes through bytes, see tensor names.
  return chars != nullptr ? env->NewStringUTF(chars) : nullptr;
}

/// A Java string as UTF-8, or null.
class Utf8 {
 public:
  Utf8(JNIEnv* env, jstring string) : env_(env), string_(string) {
    if (string != nullptr) chars_ = env->GetStringUTFChars(string, nullptr);
  }
  ~Utf8() {
    if (chars_ != nullptr) env_->ReleaseStringUTFChars(string_, chars_);
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;
  const char* get() const { return chars_; }

 private:
  JNIEnv* env_;
  jstring string_;
  const char* chars_ = nullptr;
};

}  // namespace tally::jni

#endif  // TALLYLENS_MEMORY_H
