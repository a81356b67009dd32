package io.tallylens.internal

import java.nio.ByteBuffer
import kotlin.math.abs

/** What a frame looks like from afar, to see whether anything has changed: `tally_offload_view`. */
internal class FrameView private constructor(private val cells: ByteArray) {
    /** Gray levels by which the most changed cell differs. */
    fun difference(other: FrameView): Double =
        cells.indices.maxOf { abs((cells[it].toInt() and 0xFF) - (other.cells[it].toInt() and 0xFF)) }.toDouble()

    fun levels(): List<Int> = cells.map { it.toInt() and 0xFF }

    companion object {
        private const val CELLS = 32 * 18

        /** Of the frame that `image` and `planes` describe. */
        fun of(image: ImageFields, planes: Array<ByteBuffer?>): FrameView {
            val out = directBuffer(CELLS)
            check(Native.offloadView(image.bytes, planes[0], planes[1], planes[2], out), "")
            return FrameView(ByteArray(CELLS) { out.get(it) })
        }
    }
}
