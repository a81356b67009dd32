package io.tallylens.android

import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import io.tallylens.Counter

/**
 * Passes CameraX's frames to a counter in `RunningMode.LIVE_STREAM`, with the sensor's timestamps.
 *
 * Use it with [imageAnalysis]: with CameraX's own `STRATEGY_KEEP_ONLY_LATEST` frames are lost before anybody
 * can count them. Each image is closed exactly once, when the counter no longer reads it.
 */
public class CountAnalyzer(private val counter: Counter) : ImageAnalysis.Analyzer {
    override fun analyze(image: ImageProxy) {
        val frame = try {
            image.toFrame().onReleased(image::close)
        } catch (refused: RuntimeException) {
            image.close()
            throw refused
        }
        counter.countAsync(frame, image.imageInfo.timestamp)
    }

    public companion object {
        /**
         * An analysis that hands over every frame: the counter chooses, and counts what it drops. Two images
         * are read at most, one in work and one that waits, and a third is on its way.
         */
        @JvmStatic
        public fun imageAnalysis(): ImageAnalysis = ImageAnalysis.Builder()
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_BLOCK_PRODUCER)
            .setImageQueueDepth(3)
            .build()
    }
}
