package io.tallylens

import io.tallylens.internal.TrackingOptions

/** How a counter receives its frames. */
public enum class RunningMode {
    /** Single images: `detect`. */
    IMAGE,

    /** Every frame of a video, one after the other: `count`. */
    VIDEO,

    /** A camera: `countAsync`, which drops frames that come too fast, and counts the drops. */
    LIVE_STREAM,
}

/** The processor that runs the model; the CPU runs what it cannot, and `CountReport.warnings` says so. */
public enum class Accelerator { CPU, GPU, NPU }

/** The point of a box that crosses lines and enters zones. */
public enum class Anchor { BOTTOM_CENTER, CENTER, TOP_CENTER }

/** What is counted, and how; made by [Builder]. */
public class CounterOptions private constructor(builder: Builder) {
    public val lines: List<Line> = builder.lines.toList()
    public val zones: List<Zone> = builder.zones.toList()

    /** Names of the classes to count; null for all. */
    public val classes: Set<String>? = builder.classes?.toSet()

    /** Every detection counts as one class, `object`. */
    public val anyClass: Boolean = builder.anyClass
    public val runningMode: RunningMode = builder.runningMode
    public val accelerator: Accelerator = builder.accelerator
    public val threads: Int = builder.threads

    /** At most so many frames per second of capture time are processed; 0 for all. */
    public val maxFps: Double = builder.maxFps

    /** Maximum latency of a frame in milliseconds; above it fewer frames are processed. 0 for any. */
    public val budgetMs: Double = builder.budgetMs

    /** Minimum objectness times class score of a detection; null for the default. */
    public val confidence: Float? = builder.confidence

    /** Boxes of one class that overlap more are one object; null for the default. */
    public val iou: Float? = builder.iou

    /** Path or name of the LiteRT library; null for the platform's own name. */
    public val liteRtLibrary: String? = builder.liteRtLibrary

    /** Name of the source in reports. */
    public val source: String = builder.source
    internal val tracking: TrackingOptions = builder.tracking

    /** Zones whose detections are neither tracked nor counted. */
    public val ignored: List<Zone> = builder.ignored.toList()
    /** A server with a bigger model, and when to ask it; null counts on the device alone. */
    public val offload: OffloadOptions? = builder.offload
    internal val minSize: Float? = builder.minSize
    internal val maxSize: Float? = builder.maxSize

    /** Builds [CounterOptions]; everything is optional. */
    public class Builder {
        internal val lines = ArrayList<Line>()
        internal val zones = ArrayList<Zone>()
        internal var classes: Set<String>? = null
        internal var anyClass = false
        internal var runningMode = RunningMode.VIDEO
        internal var accelerator = Accelerator.CPU
        internal var threads = 1
        internal var maxFps = 0.0
        internal var budgetMs = 0.0
        internal var confidence: Float? = null
        internal var iou: Float? = null
        internal var liteRtLibrary: String? = null
        internal var source = "camera"
        internal var tracking = TrackingOptions()
        internal val ignored = ArrayList<Zone>()
        internal var minSize: Float? = null
        internal var maxSize: Float? = null
        internal var offload: OffloadOptions? = null

        /** Add lines to count crossings at. */
        public fun lines(vararg lines: Line): Builder = apply { this.lines += lines }

        /** Add zones to count visits in. */
        public fun zones(vararg zones: Zone): Builder = apply { this.zones += zones }

        /** Add zones to ignore: a detection whose anchor is inside one is neither tracked nor counted. */
        public fun ignore(vararg zones: Zone): Builder = apply { ignored += zones }

        /**
         * Ignore smaller detections. The size is `sqrt(width * height)`: a fraction of the frame's shorter side if at
         * most 1, else pixels.
         */
        public fun minSize(size: Float): Builder = apply { minSize = positive("minSize", size.toDouble()).toFloat() }

        /** Ignore larger detections; see [minSize]. */
        public fun maxSize(size: Float): Builder = apply { maxSize = positive("maxSize", size.toDouble()).toFloat() }

        /** Count only these classes. */
        public fun classes(vararg names: String): Builder = apply { classes = names.toSet() }

        /** Count every detection as one class, `object`. */
        public fun anyClass(): Builder = apply { anyClass = true }

        public fun runningMode(mode: RunningMode): Builder = apply { runningMode = mode }

        public fun accelerator(accelerator: Accelerator): Builder = apply { this.accelerator = accelerator }

        /** Threads of the CPU, 1 to 64. */
        public fun threads(count: Int): Builder = apply { threads = count }

        public fun maxFps(framesPerSecond: Double): Builder = apply { maxFps = positive("maxFps", framesPerSecond) }

        public fun budgetMs(milliseconds: Double): Builder = apply { budgetMs = positive("budgetMs", milliseconds) }

        /** Minimum confidence of a new object, and of a counted object's mean; 0 to 1. */
        public fun confidence(minimum: Float): Builder = apply {
            confidence = score("confidence", minimum)
            val defaults = TrackingOptions().complete()
            tracking = tracking.copy(
                lowConfidence = minOf(defaults.lowConfidence!!, minimum),
                highConfidence = minOf(defaults.highConfidence!!, minimum),
                newConfidence = minimum,
                confirmConfidence = minimum,
            )
        }

        /** Boxes of one class that overlap more than this are one object; 0 to 1. */
        public fun iou(overlap: Float): Builder = apply { iou = score("iou", overlap) }

        public fun anchor(anchor: Anchor): Builder = apply { tracking = tracking.copy(anchor = anchor.ordinal) }

        /** How long an object that stood still is expected where it stood. */
        public fun rememberSeconds(seconds: Float): Builder = apply { tracking = tracking.copy(rememberS = seconds) }

        public fun liteRtLibrary(path: String?): Builder = apply { liteRtLibrary = path }

        /** The source's name in reports. */
        public fun source(name: String): Builder = apply { source = name }

        /** Ask a server for frames, as the options say; in videos and live streams. */
        public fun offload(options: OffloadOptions?): Builder = apply { offload = options }

        internal fun tracking(options: TrackingOptions): Builder = apply { tracking = options }

        public fun build(): CounterOptions = CounterOptions(this)

        private fun positive(name: String, value: Double): Double {
            if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
                throw UsageException("$name is $value", "Use a number above 0")
            }
            return value
        }

        private fun score(name: String, value: Float): Float {
            if (!(value >= 0 && value <= 1)) throw UsageException("$name is $value", "Use 0 to 1")
            return value
        }
    }
}
