package io.tallylens.internal

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The functions of the native library (src/main/cpp), one for one; they hold no logic.
 *
 * Handles are addresses, results are statuses of `tally.h` and `tally_engine.h`, and structs travel in
 * direct buffers. Callers keep a handle open during a call: see [NativeHandle].
 */
internal object Native {
    /** System property that names the file of the native library, for desktop JVMs. */
    private const val LIBRARY = "tallylens.library"

    init {
        val path = System.getProperty(LIBRARY)
        if (path != null) System.load(path) else System.loadLibrary("tallylens")
    }

    @JvmStatic external fun version(): String
    @JvmStatic external fun statusText(status: Int): String?
    @JvmStatic external fun reasonName(reason: Int): String?
    @JvmStatic external fun reasonText(reason: Int): String?
    @JvmStatic external fun eventKindName(kind: Int): String?

    @JvmStatic external fun modelDocument(model: ByteBuffer, bytes: Long, out: ByteBuffer): Int
    @JvmStatic external fun modelResize(
        model: ByteBuffer, oldWidth: Int, oldHeight: Int, newWidth: Int, newHeight: Int,
    ): Int
    @JvmStatic external fun engineOpen(
        model: ByteBuffer, bytes: Long, options: ByteBuffer, library: String?, out: ByteBuffer,
    ): Int
    @JvmStatic external fun engineDestroy(engine: Long)
    @JvmStatic external fun engineName(engine: Long): String
    @JvmStatic external fun engineWarning(engine: Long): String?
    @JvmStatic external fun engineInput(engine: Long, out: ByteBuffer): Int
    @JvmStatic external fun engineOutput(engine: Long, index: Int, out: ByteBuffer): Int

    @JvmStatic external fun detectorCreate(
        engine: Long, heads: ByteBuffer, count: Int, options: ByteBuffer, out: ByteBuffer,
    ): Int
    @JvmStatic external fun detectorDestroy(detector: Long)
    @JvmStatic external fun detectorError(detector: Long): String?
    @JvmStatic external fun decoderDefaults(out: ByteBuffer): Int
    @JvmStatic external fun detectFrame(
        detector: Long, image: ByteBuffer, y: ByteBuffer?, u: ByteBuffer?, v: ByteBuffer?, out: ByteBuffer,
    ): Int
    @JvmStatic external fun countFrame(
        detector: Long, counter: Long, image: ByteBuffer, y: ByteBuffer?, u: ByteBuffer?, v: ByteBuffer?,
        timestamp: Long, out: ByteBuffer,
    ): Int
    @JvmStatic external fun preprocess(
        image: ByteBuffer, y: ByteBuffer?, u: ByteBuffer?, v: ByteBuffer?, tensor: ByteBuffer,
        pixels: ByteBuffer, out: ByteBuffer,
    ): Int
    @JvmStatic external fun decode(
        heads: ByteBuffer, count: Int, raw: Array<ByteBuffer>, letterbox: ByteBuffer, options: ByteBuffer,
        out: ByteBuffer,
    ): Int

    @JvmStatic external fun counterDefaults(out: ByteBuffer): Int
    @JvmStatic external fun counterCreate(options: ByteBuffer, out: ByteBuffer): Int
    @JvmStatic external fun counterDestroy(counter: Long)
    @JvmStatic external fun counterError(counter: Long): String?
    @JvmStatic external fun counterAddRegion(
        counter: Long, kind: String, points: ByteBuffer, count: Int, extend: Int, minDwellS: Float,
    ): Int
    @JvmStatic external fun counterIgnore(counter: Long, points: ByteBuffer, count: Int): Int
    @JvmStatic external fun counterWantClasses(counter: Long, ids: ByteBuffer, count: Int): Int
    @JvmStatic external fun counterWithhold(counter: Long): Int
    @JvmStatic external fun counterUpdate(counter: Long, timestamp: Long, count: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterTake(counter: Long, out: ByteBuffer): Int
    @JvmStatic external fun counterConclude(counter: Long): Int
    @JvmStatic external fun counterReset(counter: Long): Int
    @JvmStatic external fun counterUnique(counter: Long, classes: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterReturned(counter: Long, classes: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterReturns(counter: Long, capacity: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterRestoreReturns(
        counter: Long, classes: Int, seen: Int, returns: Int, values: ByteBuffer,
    ): Int
    @JvmStatic external fun counterWithheld(counter: Long, capacity: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterRestoreWithheld(counter: Long, events: ByteBuffer, count: Int): Int
    @JvmStatic external fun counterFindings(counter: Long, capacity: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterDetected(counter: Long, classes: Int, out: ByteBuffer): Int
    @JvmStatic external fun counterRegionTotal(
        counter: Long, kind: String, index: Int, total: Int, classes: Int, out: ByteBuffer,
    ): Int
    @JvmStatic external fun counterRegionValue(
        counter: Long, kind: String, index: Int, value: Int, out: ByteBuffer,
    ): Int
    @JvmStatic external fun counterDiagnostics(counter: Long, out: ByteBuffer): Int
    @JvmStatic external fun counterSave(counter: Long, out: ByteBuffer): Int
    @JvmStatic external fun counterRestore(counter: Long, state: ByteBuffer, size: Long): Int

    @JvmStatic external fun binsCreate(out: ByteBuffer): Int
    @JvmStatic external fun binsDestroy(bins: Long)
    @JvmStatic external fun binsError(bins: Long): String?
    @JvmStatic external fun binsAdd(bins: Long, timeS: Double, keys: ByteBuffer, count: Int): Int
    @JvmStatic external fun binsCompact(bins: Long): Int
    @JvmStatic external fun binsNumbers(bins: Long, capacity: Int, out: ByteBuffer): Int
    @JvmStatic external fun binsRestore(bins: Long, seconds: Long, numbers: ByteBuffer, count: Int): Int

    @JvmStatic external fun governorCreate(
        sizes: Int, budgetMs: Double, maxFps: Double, out: ByteBuffer,
    ): Int
    @JvmStatic external fun governorDestroy(governor: Long)
    @JvmStatic external fun governorWants(governor: Long, timestamp: Long): Int
    @JvmStatic external fun governorLearn(governor: Long, timestamp: Long, latencyMs: Double): Int
    @JvmStatic external fun governorSetThermal(governor: Long, thermal: Int): Int
    @JvmStatic external fun governorSetHeadroom(governor: Long, headroom: Double): Int
    @JvmStatic external fun governorState(governor: Long, out: ByteBuffer): Int
    @JvmStatic external fun governorTakeChanges(governor: Long, capacity: Int, out: ByteBuffer): Int

    @JvmStatic external fun offloadReward(detections: ByteBuffer, count: Int, out: ByteBuffer): Int
    @JvmStatic external fun offloadStaticReason(
        live: Int, modelBytes: Long, memoryBytes: Long, localS: Double, cloudS: Double,
    ): Int
    @JvmStatic external fun offloadCreate(mode: Int, share: Double, out: ByteBuffer): Int
    @JvmStatic external fun offloadDestroy(offload: Long)
    @JvmStatic external fun offloadView(
        image: ByteBuffer, y: ByteBuffer?, u: ByteBuffer?, v: ByteBuffer?, out: ByteBuffer,
    ): Int
    @JvmStatic external fun offloadSkip(offload: Long, difference: Double, out: ByteBuffer): Int
    @JvmStatic external fun offloadDecide(offload: Long, facts: ByteBuffer, out: ByteBuffer): Int
    @JvmStatic external fun offloadComputed(offload: Long, seconds: Double): Int
    @JvmStatic external fun offloadLocal(offload: Long, out: ByteBuffer): Int
    @JvmStatic external fun linkCreate(out: ByteBuffer): Int
    @JvmStatic external fun linkDestroy(link: Long)
    @JvmStatic external fun linkWelcomed(link: Long, seconds: Double): Int
    @JvmStatic external fun linkSent(link: Long, sequence: Long, bytes: Long, now: Double): Int
    @JvmStatic external fun linkAnswered(link: Long, sequence: Long, serverS: Double, now: Double): Int
    @JvmStatic external fun linkLost(link: Long): Int
    @JvmStatic external fun linkExpected(link: Long, bytes: Long, now: Double, out: ByteBuffer): Int
    @JvmStatic external fun linkState(link: Long, now: Double, out: ByteBuffer): Int
    @JvmStatic external fun waitingCreate(engines: Int, out: ByteBuffer): Int
    @JvmStatic external fun waitingDestroy(waiting: Long)
    @JvmStatic external fun waitingStart(waiting: Long, now: Double): Int
    @JvmStatic external fun waitingWait(waiting: Long, now: Double, change: Int): Int
    @JvmStatic external fun waitingCompute(waiting: Long, now: Double, change: Int): Int
    @JvmStatic external fun waitingSaved(waiting: Long, seconds: Double): Int
    @JvmStatic external fun waitingLeft(waiting: Long, now: Double, out: ByteBuffer): Int
    @JvmStatic external fun lateCreate(out: ByteBuffer): Int
    @JvmStatic external fun lateDestroy(late: Long)
    @JvmStatic external fun lateNote(late: Long, detections: ByteBuffer, count: Int, now: Double): Int
    @JvmStatic external fun lateApply(late: Long, detections: ByteBuffer, count: Int, now: Double): Int
}

/** Statuses of `tally_status` and `tally_engine_status`. */
internal object Status {
    const val OK = 0
    const val INVALID_ARGUMENT = 1
    const val BUFFER_TOO_SMALL = 2
    const val OUT_OF_ORDER = 3
    const val BAD_STATE = 6
    const val BAD_MODEL = 8
    const val UNSUPPORTED_MODEL = 9
    const val ENGINE_MISSING = 100
    const val ENGINE_UNSUPPORTED = 101
    const val ENGINE_BAD_MODEL = 102
    const val ENGINE_FAILED = 103
}

/** A direct buffer in the machine's byte order, as the native library reads it. */
internal fun directBuffer(bytes: Int): ByteBuffer =
    ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

/** The text that ends in NUL at the start of `this`. */
internal fun ByteBuffer.errorText(): String {
    var length = 0
    while (length < capacity() && get(length) != 0.toByte()) length++
    val bytes = ByteArray(length) { get(it) }
    return String(bytes, Charsets.UTF_8)
}

/** Room for an option or result struct of the core, which may grow in its later versions. */
internal const val OPTIONS_BYTES = 256
