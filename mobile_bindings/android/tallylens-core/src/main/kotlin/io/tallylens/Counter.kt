package io.tallylens

import io.tallylens.internal.Detectors
import io.tallylens.internal.FrameOutcome
import io.tallylens.internal.Governor
import io.tallylens.internal.Listeners
import io.tallylens.internal.LiveQueue
import io.tallylens.internal.Offloader
import io.tallylens.internal.Session
import java.io.Closeable
import java.util.concurrent.Executor
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/**
 * Counts objects in images, in every frame of a video, or in a camera's frames as they come.
 *
 * All methods may be called from any thread; frames are counted one after the other. Close it when it is no
 * longer used.
 */
public class Counter private constructor(
    private val options: CounterOptions,
    classNames: List<String>,
    modelName: String,
    detectors: Detectors?,
    offloader: Offloader? = null,
) : Closeable {
    private val lock = ReentrantLock()
    private val session: Session
    private val governor: Governor
    private val listeners = Listeners()
    private val live: LiveQueue?
    private val reports: MutableStateFlow<CountReport>
    private var toldDrops = Drops()
    private var reportedNanos = Long.MIN_VALUE
    private var closed = false

    @Volatile
    private var fitted = false

    init {
        try {
            session = Session(classNames, modelName, options, detectors, offloader)
            governor = Governor(options.maxFps, options.budgetMs)
        } catch (failure: Exception) {
            offloader?.close()
            detectors?.close()
            throw failure
        }
        live = if (options.runningMode == RunningMode.LIVE_STREAM) LiveQueue(governor::wants, ::process) else null
        reports = MutableStateFlow(session.report(Drops(), interrupted = false))
    }

    /**
     * Updates of a live stream, one for each frame that was counted. A collector that is slower than the
     * frames gets them merged: the newest tracks with all events and drops since the update before.
     */
    public val updates: Flow<CountUpdate> get() = listeners.flow()

    /** The totals: renewed with each event and four times a second, see [currentReport]. */
    public val report: StateFlow<CountReport> = reports.asStateFlow()

    /** The totals after the last frame that was counted. */
    public fun currentReport(): CountReport = guarded { session.report(drops(), interrupted = false) }

    /** The objects in a single image ([RunningMode.IMAGE]). */
    public fun detect(image: Frame): List<Detection> {
        require(RunningMode.IMAGE, "detect")
        return guarded { session.detect(image) }
    }

    /**
     * Count one frame of a video ([RunningMode.VIDEO]); give every frame, in order.
     *
     * @param timestampNanos capture time in nanoseconds from any origin.
     * @throws TimestampException it is not later than the frame before.
     */
    public fun count(image: Frame, timestampNanos: Long): CountUpdate {
        require(RunningMode.VIDEO, "count")
        val started = System.nanoTime()
        return guarded {
            session.fit(image, smaller = false)
            updated(session.count(image, timestampNanos), timestampNanos, started)
        }
    }

    /**
     * Count the detections of another detector in one frame ([RunningMode.VIDEO]).
     *
     * @param width of the frame in pixels; the same for all frames.
     * @param height of the frame in pixels; the same for all frames.
     */
    public fun countDetections(
        detections: List<Detection>, width: Int, height: Int, timestampNanos: Long,
    ): CountUpdate {
        require(RunningMode.VIDEO, "countDetections")
        val started = System.nanoTime()
        return guarded { updated(session.count(detections, width, height, timestampNanos), timestampNanos, started) }
    }

    /**
     * Offer a camera's frame ([RunningMode.LIVE_STREAM]) and return at once.
     *
     * One frame is in work and one waits; a newer one replaces the one that waits. Its memory is read before
     * this returns, unless it has [Frame.onReleased].
     *
     * @param timestampNanos the sensor's time.
     * @return false if it was dropped, which the next update and the report count.
     */
    public fun countAsync(image: Frame, timestampNanos: Long): Boolean {
        require(RunningMode.LIVE_STREAM, "countAsync")
        if (!fitted) fit(image)
        return live!!.offer(image, timestampNanos)
    }

    /** The video has ended: count what is past a line and moves on; the events of that. */
    public fun conclude(): List<CountEvent> = guarded {
        session.conclude().also { publishReport() }
    }

    /** End a period: all totals restart from zero; objects are kept and not counted again. */
    public fun reset(): Unit = guarded {
        session.reset()
        publishReport()
    }

    /** Add a listener, whose methods run on `executor`. */
    public fun addListener(executor: Executor, listener: CountListener): Unit = listeners.add(executor, listener)

    public fun removeListener(listener: CountListener): Unit = listeners.remove(listener)

    /**
     * Everything that the counter knows, in about 1 to 3 KB: fits a `SavedStateHandle`.
     *
     * @throws StateException nothing has been counted yet.
     */
    public fun saveState(): ByteArray = guarded { session.save(drops()) }

    /**
     * Go on from what [saveState] gave, with the same model, options and regions.
     *
     * @throws StateException it is of another counter, or damaged; the counter is as it was.
     */
    public fun restoreState(state: ByteArray): Unit = guarded {
        val before = session.restore(state)
        live?.resume(before)
        toldDrops = before
        publishReport()
    }

    /** The device's thermal state: `PowerManager.THERMAL_STATUS_*`, 0 (none) to 6 (shutdown). */
    public fun onThermalStatus(status: Int): Unit = governor.setThermal(status)

    /** Forecast of `PowerManager.getThermalHeadroom`: 1 is severe; above 0.95 counts as moderate already. */
    public fun onThermalHeadroom(headroom: Float): Unit = governor.setHeadroom(headroom)

    /** The governor's level in force. */
    public val level: Level get() = governor.level

    /** Waits for the frame in work; frames that wait are dropped. Later calls throw IllegalStateException. */
    override fun close() {
        live?.close()
        lock.withLock {
            if (closed) return
            publishReport()
            closed = true
            session.close()
            governor.close()
        }
    }

    /** The governor gets the sizes that the model can have for these frames. */
    private fun fit(image: Frame): Unit = guarded {
        governor.useSizes(session.fit(image, smaller = true))
        fitted = true
    }

    private fun process(job: LiveQueue.Job) {
        try {
            val update = guarded {
                val level = governor.level
                val outcome = session.count(job.frame, job.timestampNanos, level.size)
                updated(outcome, job.timestampNanos, job.arrivedNanos, level)
            }
            governor.learn(job.timestampNanos, update.latencyNanos)
            listeners.tell(update)
        } catch (error: Exception) {
            live!!.failed()
            listeners.fail(error)
        }
    }

    private fun updated(
        outcome: FrameOutcome, timestampNanos: Long, startedNanos: Long, level: Level = governor.level,
    ): CountUpdate {
        val drops = drops()
        val update = CountUpdate(
            timestampNanos, outcome.detections, outcome.tracks, outcome.events, drops - toldDrops, level,
            System.nanoTime() - startedNanos,
        )
        toldDrops = drops
        val isDue = timestampNanos - REPORT_NANOS >= reportedNanos || timestampNanos < reportedNanos
        if (isDue || outcome.events.isNotEmpty()) {
            reportedNanos = timestampNanos
            publishReport()
        }
        return update
    }

    private fun publishReport() {
        reports.value = session.report(drops(), interrupted = false)
    }

    private fun drops(): Drops = live?.drops ?: toldDrops

    private fun require(mode: RunningMode, method: String) {
        if (options.runningMode != mode) {
            throw UsageException(
                "$method needs the running mode $mode, not ${options.runningMode}",
                "Choose it with CounterOptions.Builder.runningMode",
            )
        }
    }

    private inline fun <T> guarded(call: () -> T): T = lock.withLock {
        check(!closed) { "the counter is closed" }
        call()
    }

    public companion object {
        private const val REPORT_NANOS = 250_000_000L

        /**
         * A counter that detects with `model`.
         *
         * @throws ModelException the model is damaged, or contradicts its metadata.
         * @throws EngineException LiteRT is missing, or of an untested version.
         * @throws UsageException an option cannot be used, such as an unknown class.
         */
        @JvmStatic
        public fun create(model: Model, options: CounterOptions): Counter =
            Counter(options, model.classNames, model.name, Detectors(model, options), offloader(model, options))

        private fun offloader(model: Model, options: CounterOptions): Offloader? {
            val wanted = options.offload
            if (wanted == null || wanted.mode == OffloadMode.NEVER || options.runningMode == RunningMode.IMAGE) return null
            return Offloader(wanted, model.classNames, options.runningMode == RunningMode.LIVE_STREAM)
        }

        /** A counter of detections that another detector gives, see [countDetections]. */
        @JvmStatic
        public fun fromDetections(classNames: List<String>, options: CounterOptions): Counter {
            if (classNames.isEmpty()) throw UsageException("there are no class names", "Name each class id")
            return Counter(options, classNames.toList(), "", null)
        }
    }
}
