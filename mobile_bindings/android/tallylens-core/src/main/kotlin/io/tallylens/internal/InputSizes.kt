package io.tallylens.internal

import kotlin.math.ceil
import kotlin.math.min

/** Sides of a model's input in pixels. */
internal data class InputSize(val height: Int, val width: Int) {
    val pixels: Long get() = height.toLong() * width

    /** How large a frame is in this input. */
    fun scaleOf(frameWidth: Int, frameHeight: Int): Double =
        min(height / frameHeight.toDouble(), width / frameWidth.toDouble())
}

/** Sides of the smaller inputs, as fractions of the largest input's. */
private val SMALLER = listOf(0.75, 0.5)

/**
 * The rectangle that holds whole frames: a 16:9 camera needs 40% fewer multiply-adds that way than with a square.
 * The model's own size where the rectangle would show frames smaller or have more pixels.
 */
internal fun Metadata.fittingInput(frameWidth: Int, frameHeight: Int): InputSize {
    val own = InputSize(inputHeight, inputWidth)
    val scale = maxOf(inputHeight, inputWidth) / maxOf(frameWidth, frameHeight).toDouble()
    val best = InputSize(whole(frameHeight * scale), whole(frameWidth * scale))
    val fits = best.pixels <= own.pixels &&
        best.scaleOf(frameWidth, frameHeight) >= own.scaleOf(frameWidth, frameHeight)
    return if (fits) best else own
}

/** Smaller inputs for the governor, largest first. */
internal fun Metadata.smallerInputs(largest: InputSize): List<InputSize> =
    SMALLER.map { InputSize(whole(largest.height * it), whole(largest.width * it)) }.distinct() - largest

/** `side` rounded up to a multiple of the largest stride. */
private fun Metadata.whole(side: Double): Int {
    val stride = strides.maxOrNull()!!
    return maxOf(1, ceil(side / stride - 1e-6).toInt()) * stride
}
