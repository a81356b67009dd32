package io.tallylens.internal

import io.tallylens.CountEvent
import io.tallylens.Detection
import io.tallylens.Frame
import java.nio.ByteBuffer

/** The result of one frame as the native library writes it: a header, then detections, tracks and events. */
internal class FrameBuffer(detections: Int, tracks: Int, events: Int) {
    private val detectionsAt = HEADER
    private val tracksAt = detectionsAt + detections * DETECTION
    private val eventsAt = tracksAt + tracks * TRACK

    val bytes: ByteBuffer = directBuffer(eventsAt + events * EVENT).apply {
        putInt(12, detections)
        putInt(16, tracks)
        putInt(20, events)
    }

    /** The detections alone. */
    val detectionBytes: ByteBuffer = bytes.duplicate().let {
        it.position(HEADER)
        it.slice()
    }
    val maxDetections: Int get() = bytes.getInt(12)
    val maxEvents: Int get() = bytes.getInt(20)
    val numDetections: Int get() = bytes.getInt(0)
    val numTracks: Int get() = bytes.getInt(4)
    val numEvents: Int get() = bytes.getInt(8)
    val letterboxNanos: Long get() = bytes.getLong(24)
    val inferenceNanos: Long get() = bytes.getLong(32)
    val decodeNanos: Long get() = bytes.getLong(40)
    val countNanos: Long get() = bytes.getLong(48)

    fun detections(): List<Detection> = List(numDetections) { i ->
        val at = detectionsAt + i * DETECTION
        Detection(
            bytes.getFloat(at), bytes.getFloat(at + 4), bytes.getFloat(at + 8), bytes.getFloat(at + 12),
            bytes.getFloat(at + 16), bytes.getInt(at + 20),
        )
    }

    /** No time was spent on this frame yet. */
    fun clearTimes() {
        for (at in TIMES until HEADER step Long.SIZE_BYTES) bytes.putLong(at, 0)
    }

    fun put(detections: List<Detection>) {
        for ((i, one) in detections.withIndex()) {
            val at = detectionsAt + i * DETECTION
            bytes.putFloat(at, one.x1).putFloat(at + 4, one.y1).putFloat(at + 8, one.x2)
            bytes.putFloat(at + 12, one.y2).putFloat(at + 16, one.confidence).putInt(at + 20, one.classId)
        }
    }

    fun tracks(): List<RawTrack> = List(numTracks) { i ->
        val at = tracksAt + i * TRACK
        RawTrack(
            bytes.getLong(at), bytes.getFloat(at + 8), bytes.getFloat(at + 12), bytes.getFloat(at + 16),
            bytes.getFloat(at + 20), bytes.getFloat(at + 24), bytes.getInt(at + 28),
        )
    }

    fun events(): List<CountEvent> = List(numEvents) { eventAt(bytes, eventsAt + it * EVENT) }

    private companion object {
        const val TIMES = 24
        const val HEADER = 56
        const val DETECTION = 24
        const val TRACK = 32
        const val EVENT = 56
    }
}

/** A confirmed track in one frame, without the name of its class. */
internal class RawTrack(
    val trackId: Long, val x1: Float, val y1: Float, val x2: Float, val y2: Float, val confidence: Float,
    val classId: Int,
)

/** The fields of a frame as the native library reads them. */
internal class ImageFields {
    val bytes: ByteBuffer = directBuffer(4 * FIELDS)

    fun put(frame: Frame) {
        bytes.putInt(0, frame.format).putInt(4, frame.cropWidth).putInt(8, frame.cropHeight)
        bytes.putInt(12, frame.rotationDegrees)
        for (i in 0 until 3) {
            bytes.putInt(16 + 4 * i, frame.planes.getOrNull(i)?.stride ?: 0)
            bytes.putInt(28 + 4 * i, offset(frame, i))
        }
        bytes.putInt(40, frame.chromaStep).putInt(44, frame.range.ordinal).putInt(48, frame.matrix.ordinal)
    }

    private fun offset(frame: Frame, plane: Int): Int {
        val stride = frame.planes.getOrNull(plane)?.stride ?: return 0
        return when {
            frame.format <= Frame.RGB -> frame.top * stride + 3 * frame.left
            frame.format <= Frame.RGBA -> frame.top * stride + 4 * frame.left
            plane == 0 -> frame.top * stride + frame.left
            frame.format == Frame.I420 -> frame.top / 2 * stride + frame.left / 2 * maxOf(frame.chromaStep, 1)
            else -> frame.top / 2 * stride + frame.left
        }
    }

    private companion object {
        const val FIELDS = 13
    }
}
