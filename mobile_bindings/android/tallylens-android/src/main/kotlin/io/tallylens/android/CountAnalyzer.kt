package io.tallylens.android

import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import io.tallylens.Counter

/**
 * Passes CameraX's frames to a counter in `RunningMode.LIVE_STREAM`, with the sensor's timestamps.
 *
 * Use it with [imageAnalysis]: with CameraX's own `STRATEGY_KEEP_ONLY_LATEST` frames are lost before anybody
 * can count them. Each image is copied if the counter takes it, and closed before this returns: an image that
 * is kept would stop the camera, whose frames would then be lost uncounted.
 */
public class CountAnalyzer(private val counter: Counter) : ImageAnalysis.Analyzer {
    override fun analyze(image: ImageProxy) {
        try {
            counter.countAsync(image.toFrame(), image.imageInfo.timestamp)
        } finally {
            image.close()
        }
    }

    public companion object {
        /**
         * An analysis that hands over every frame: the counter chooses, and counts what it drops.
         */
        @JvmStatic
        public fun imageAnalysis(): ImageAnalysis = ImageAnalysis.Builder()
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_BLOCK_PRODUCER)
            .setImageQueueDepth(1)
            .build()
    }
}
