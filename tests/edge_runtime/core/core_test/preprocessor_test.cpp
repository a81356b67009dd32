// The letterbox: arguments that it refuses, and buffers of exactly the right size.
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "checks.h"
#include "tally.h"

namespace {

tally_image image_of(int32_t format, int32_t width, int32_t height, std::array<int, 3> strides,
                     std::array<const std::vector<uint8_t>*, 3> planes) {
  tally_image image{};
  image.struct_size = sizeof image;
  image.format = format;
  image.width = width;
  image.height = height;
  for (size_t i = 0; i < 3; ++i) {
    image.strides[i] = strides[i];
    image.planes[i] = planes[i] == nullptr ? nullptr : planes[i]->data();
    image.plane_bytes[i] = planes[i] == nullptr ? 0 : planes[i]->size();
  }
  return image;
}

tally_tensor tensor_of(int32_t dtype, int32_t layout, int32_t width, int32_t height,
                       std::vector<uint8_t>& data) {
  tally_tensor tensor{};
  tensor.struct_size = sizeof tensor;
  tensor.dtype = dtype;
  tensor.layout = layout;
  tensor.width = width;
  tensor.height = height;
  tensor.data = data.data();
  tensor.bytes = data.size();
  return tensor;
}

void test_preprocessor_refuses_bad_arguments() {
  tally_preprocessor* preprocessor = nullptr;
  CHECK(tally_preprocessor_create(&preprocessor) == TALLY_OK);
  CHECK(tally_preprocessor_create(nullptr) == TALLY_INVALID_ARGUMENT);
  std::vector<uint8_t> pixels(8 * 6 * 3), input(16 * 16 * 3);
  tally_letterbox letterbox;
  const tally_image image = image_of(TALLY_BGR, 8, 6, {24, 0, 0}, {&pixels, nullptr, nullptr});
  const tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, 16, 16, input);
  CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
  const auto refused = [&](tally_image bad, tally_tensor target) {
    return tally_preprocessor_run(preprocessor, &bad, &target, &letterbox) ==
               TALLY_INVALID_ARGUMENT &&
           tally_preprocessor_error(preprocessor)[0] != '\0';
  };
  tally_image bad = image;
  bad.plane_bytes[0] -= 1;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.strides[0] = 23;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.width = std::numeric_limits<int32_t>::max();
  CHECK(refused(bad, tensor));
  bad = image;
  bad.height = -6;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.format = 99;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.rotation = 45;
  CHECK(refused(bad, tensor));
  bad = image;
  bad.format = TALLY_I420;  // needs three planes
  CHECK(refused(bad, tensor));
  tally_tensor small = tensor;
  small.bytes -= 1;
  CHECK(refused(image, small));
  small = tensor;
  small.data = nullptr;
  CHECK(refused(image, small));
  CHECK(tally_preprocessor_run(nullptr, &image, &tensor, &letterbox) == TALLY_INVALID_ARGUMENT);
  tally_preprocessor_destroy(preprocessor);
  tally_preprocessor_destroy(nullptr);
}

/// Every format, rotation, dtype and layout on odd sizes, with buffers of exactly the right size.
void test_preprocessor_stays_in_its_buffers() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  for (const auto& [width, height] : {std::pair{7, 5}, {1, 1}, {33, 2}, {2, 33}, {16, 16}})
    for (int format = TALLY_BGR; format <= TALLY_I420; ++format)
      for (const int rotation : {0, 90, 180, 270})
        for (int dtype = TALLY_UINT8; dtype <= TALLY_FLOAT32; ++dtype)
          for (const int layout : {TALLY_NHWC, TALLY_NCHW}) {
            const int half_w = (width + 1) / 2, half_h = (height + 1) / 2;
            const int row = format <= TALLY_RGB    ? 3 * width
                            : format <= TALLY_RGBA ? 4 * width
                                                   : width;
            const int chroma = format == TALLY_I420 ? half_w : 2 * half_w;
            std::vector<uint8_t> luma(row * height, 9), u(chroma * half_h, 128), v(u);
            tally_image image =
                image_of(format, width, height, {row, chroma, chroma}, {&luma, &u, &v});
            image.rotation = rotation;
            std::vector<uint8_t> input(13 * 11 * 3 * (dtype == TALLY_FLOAT32 ? 4 : 1));
            const tally_tensor tensor = tensor_of(dtype, layout, 13, 11, input);
            tally_letterbox letterbox;
            CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
          }
  tally_preprocessor_destroy(preprocessor);
}

/// Frames that are made smaller, whose samples are read sixteen bytes at a time: no byte after a
/// row.
void test_smaller_frames_stay_in_their_planes() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  for (int width = 24; width <= 66; width += 7)
    for (int height = 24; height <= 66; height += 7)
      for (int format = TALLY_NV12; format <= TALLY_I420; ++format)
        for (const int rotation : {0, 90, 180, 270}) {
          const int half_w = (width + 1) / 2, half_h = (height + 1) / 2;
          const int chroma = format == TALLY_I420 ? half_w : 2 * half_w;
          std::vector<uint8_t> luma(width * height, 9), u(chroma * half_h, 128), v(u);
          tally_image image =
              image_of(format, width, height, {width, chroma, chroma}, {&luma, &u, &v});
          image.rotation = rotation;
          for (const int side : {16, 17, 32}) {
            std::vector<uint8_t> input(3 * side * side);
            const tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, side, side, input);
            tally_letterbox letterbox;
            CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
          }
        }
  tally_preprocessor_destroy(preprocessor);
}

/// What the fields of later versions allow and refuse; every buffer ends where it may.
void test_fields_of_cameras_and_engines() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  tally_letterbox letterbox;
  const auto status = [&](const tally_image& image, const tally_tensor& tensor) {
    return tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox);
  };
  for (const auto& [width, height] : {std::pair{7, 5}, {3, 1}, {33, 2}, {2, 33}, {40, 18}})
    for (const int rotation : {0, 90, 180, 270}) {
      const int half_w = (width + 1) / 2, half_h = (height + 1) / 2;
      std::vector<uint8_t> luma(width * height, 9), input(13 * 11 * 3);
      const tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, 13, 11, input);
      // Three pointers and a step, whole rows only between rows.
      for (const int step : {1, 2, 3, 16}) {
        const int row = half_w * step + 1;
        std::vector<uint8_t> u(row * (half_h - 1) + (half_w - 1) * step + 1, 130), v(u);
        tally_image image = image_of(TALLY_I420, width, height, {width, row, row}, {&luma, &u, &v});
        image.chroma_step = step;
        image.rotation = rotation;
        image.yuv_range = TALLY_FULL_RANGE;
        image.yuv_matrix = TALLY_BT709;
        CHECK(status(image, tensor) == TALLY_OK);
        image.plane_bytes[2] -= 1;
        CHECK(status(image, tensor) == TALLY_INVALID_ARGUMENT);
      }
      // Pairs whose last byte is missing.
      std::vector<uint8_t> pairs(2 * half_w * half_h - 1, 130);
      tally_image image =
          image_of(TALLY_NV21, width, height, {width, 2 * half_w, 0}, {&luma, &pairs, nullptr});
      image.rotation = rotation;
      CHECK(status(image, tensor) == (half_w > 1 ? TALLY_OK : TALLY_INVALID_ARGUMENT));
      image.plane_bytes[1] -= 1;
      CHECK(status(image, tensor) == TALLY_INVALID_ARGUMENT);
      image.plane_bytes[1] += 1;
      image.chroma_step = 1;
      CHECK(status(image, tensor) == TALLY_INVALID_ARGUMENT);
    }
  tally_preprocessor_destroy(preprocessor);
}

/// Rows of an input that are further apart than they are long; what is between is not touched.
void test_inputs_with_longer_rows() {
  tally_preprocessor* preprocessor = nullptr;
  tally_preprocessor_create(&preprocessor);
  std::vector<uint8_t> pixels(20 * 30 * 3, 200);
  const tally_image image = image_of(TALLY_BGR, 20, 30, {60, 0, 0}, {&pixels, nullptr, nullptr});
  tally_letterbox letterbox;
  for (const int channels : {TALLY_CHANNELS_RGB, TALLY_CHANNELS_BGRA}) {
    const size_t used = 13 * (channels == TALLY_CHANNELS_BGRA ? 4 : 3), row = used + 5;
    std::vector<uint8_t> input(row * 10 + used, 77);
    tally_tensor tensor = tensor_of(TALLY_UINT8, TALLY_NHWC, 13, 11, input);
    tensor.channels = channels;
    tensor.row_bytes = row;
    CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) == TALLY_OK);
    for (size_t i = 0; i < input.size(); ++i)
      if (i % row >= used) CHECK(input[i] == 77);
    const auto refused = [&](const tally_tensor& bad) {
      return tally_preprocessor_run(preprocessor, &image, &bad, &letterbox) ==
             TALLY_INVALID_ARGUMENT;
    };
    tally_tensor bad = tensor;
    bad.bytes -= 1;
    CHECK(refused(bad));
    bad = tensor;
    bad.row_bytes = used - 1;
    CHECK(refused(bad));
    bad = tensor;
    bad.row_bytes = std::numeric_limits<size_t>::max();
    CHECK(refused(bad));
    bad = tensor;
    bad.channels = 2;
    CHECK(refused(bad));
    bad = tensor;
    bad.dtype = TALLY_FLOAT16;
    CHECK(refused(bad));
  }
  std::vector<uint8_t> input(13 * 11 * 4);
  tally_tensor tensor = tensor_of(TALLY_INT8, TALLY_NHWC, 13, 11, input);
  tensor.channels = TALLY_CHANNELS_BGRA;
  CHECK(tally_preprocessor_run(preprocessor, &image, &tensor, &letterbox) ==
        TALLY_INVALID_ARGUMENT);
  tally_preprocessor_destroy(preprocessor);
}

}  // namespace

void test_preprocessor() {
  test_preprocessor_refuses_bad_arguments();
  test_preprocessor_stays_in_its_buffers();
  test_smaller_frames_stay_in_their_planes();
  test_fields_of_cameras_and_engines();
  test_inputs_with_longer_rows();
}
