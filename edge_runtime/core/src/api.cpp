// The C interface of statuses, preprocessor and decoder. No logic lives here.
#include "exact_floats.h"

#include "api.h"

#include <array>
#include <cstring>

#include "decode.h"
#include "options.h"
#include "preprocess.h"

using tally::call;
using tally::require;

void tally::copy_items(const void* items, size_t number, size_t item_bytes, void* out,
                       int32_t capacity, int32_t* count) {
  require(count != nullptr && capacity >= 0 && (out != nullptr || capacity == 0),
          "result pointers are NULL");
  *count = static_cast<int32_t>(number);
  if (number > static_cast<size_t>(capacity))
    throw StatusError(TALLY_BUFFER_TOO_SMALL, "the result does not fit the array");
  if (number != 0) std::memcpy(out, items, number * item_bytes);
}

// The handles of the header are the classes of the core under a C name.
struct tally_preprocessor : tally::Preprocessor {};
struct tally_decoder : tally::Decoder {
  using Decoder::Decoder;
};

namespace {

struct StatusWords {
  const char* name;
  const char* text;
};
// By number.
constexpr StatusWords kStatuses[] = {
    {"ok", "no error"},
    {"invalid_argument", "a pointer, size or value is outside its bounds"},
    {"buffer_too_small", "the array cannot hold the result; give one of the size returned"},
    {"out_of_order", "the timestamp is not later than the one before"},
    {"out_of_memory", "out of memory"},
    {"internal", "fault in the core; please report it"},
    {"bad_state", "the saved state is damaged or of a different counter"},
    {"unsupported_size",
     "struct_size is 0 or of a later version than this library; set it to sizeof the struct, and "
     "use the tally.h of this library"},
    {"bad_model", "the model file is damaged, or not a model; copy or convert it again"},
    {"unsupported_model",
     "the model file is not one that tallylens wrote; convert its checkpoint with tallylens "
     "convert"},
};

const StatusWords* words_of(int32_t status) {
  const auto known = static_cast<int32_t>(std::size(kStatuses));
  return status >= 0 && status < known ? &kStatuses[status] : nullptr;
}

constexpr int32_t kMaxHeads = 16;

/// The heads of the caller's version of the struct as those of this version.
std::array<tally_head, kMaxHeads> complete_heads(const tally_head* heads, int32_t num_heads) {
  require(heads != nullptr && num_heads >= 1 && num_heads <= kMaxHeads, "1 to 16 heads");
  const uint32_t step = heads->struct_size;
  tally::check_size<tally_head>(step);
  const auto* bytes = reinterpret_cast<const unsigned char*>(heads);
  std::array<tally_head, kMaxHeads> complete{};
  for (int32_t i = 0; i < num_heads; ++i) {
    tally_head& head = complete[static_cast<size_t>(i)];
    std::memcpy(&head, bytes, step);
    require(head.struct_size == step, "struct_size differs between heads");
    head.struct_size = sizeof head;
    bytes += step;
  }
  return complete;
}

}  // namespace

const char* tally_version(void) { return TALLY_VERSION; }

const char* tally_status_name(int32_t status) {
  const StatusWords* words = words_of(status);
  return words == nullptr ? nullptr : words->name;
}

const char* tally_status_text(int32_t status) {
  const StatusWords* words = words_of(status);
  return words == nullptr ? nullptr : words->text;
}

tally_status tally_preprocessor_create(tally_preprocessor** out) {
  return tally::create(out, nullptr, 0, [] { return std::make_unique<tally_preprocessor>(); });
}
void tally_preprocessor_destroy(tally_preprocessor* preprocessor) { delete preprocessor; }
const char* tally_preprocessor_error(const tally_preprocessor* preprocessor) {
  return tally::error_of(preprocessor);
}

tally_status tally_preprocessor_run(tally_preprocessor* preprocessor, const tally_image* image,
                                    const tally_tensor* input, tally_letterbox* letterbox) {
  return call(preprocessor, [&](tally_preprocessor& self) {
    require(image != nullptr && input != nullptr && letterbox != nullptr, "an argument is NULL");
    *letterbox =
        self.run(tally::complete(*image, tally_image{}), tally::complete(*input, tally_tensor{}));
  });
}

tally_status tally_decoder_defaults(tally_decoder_options* options) {
  std::string unused;
  return tally::guarded(unused, [&] {
    require(options != nullptr, "options are NULL");
    tally::fill(*options, tally::decoder_defaults());
  });
}

tally_status tally_decoder_create(const tally_decoder_options* options, tally_decoder** out,
                                  char* error, size_t capacity) {
  return tally::create(out, error, capacity, [&] {
    require(options != nullptr, "options are NULL");
    return std::make_unique<tally_decoder>(tally::complete(*options, tally::decoder_defaults()));
  });
}
void tally_decoder_destroy(tally_decoder* decoder) { delete decoder; }
const char* tally_decoder_error(const tally_decoder* decoder) { return tally::error_of(decoder); }

tally_status tally_decoder_run(tally_decoder* decoder, const tally_head* heads, int32_t num_heads,
                               const tally_letterbox* letterbox, tally_detection* out,
                               int32_t capacity, int32_t* count) {
  return call(decoder, [&](tally_decoder& self) {
    require(letterbox != nullptr, "letterbox is NULL");
    const auto complete = complete_heads(heads, num_heads);
    tally::copy_out(self.run(complete.data(), num_heads, *letterbox), out, capacity, count);
  });
}
