package io.tallylens

/**
 * What goes wrong in tallylens; the message says what was wrong and what to do.
 *
 * @property remedy what to do about it.
 */
public sealed class TallyLensException(
    problem: String,
    public val remedy: String,
    cause: Throwable? = null,
) : RuntimeException("$problem. $remedy", cause)

/** Wrong usage: an option, a region or a frame that cannot be used. */
public class UsageException(problem: String, remedy: String) : TallyLensException(problem, remedy)

/** A model file that is damaged, or contradicts itself. */
public class ModelException(problem: String, remedy: String, cause: Throwable? = null) :
    TallyLensException(problem, remedy, cause)

/** A model file of a kind that tallylens cannot run. */
public class UnsupportedModelException(problem: String, remedy: String) : TallyLensException(problem, remedy)

/** LiteRT is missing, of an untested version, or failed. */
public class EngineException(problem: String, remedy: String) : TallyLensException(problem, remedy)

/** A saved state that is damaged, or of another counter. The counter is unchanged. */
public class StateException(problem: String, remedy: String, cause: Throwable? = null) :
    TallyLensException(problem, remedy, cause)

/** A timestamp that is not later than the one before. The counter is unchanged. */
public class TimestampException(
    /** The timestamp that was given, in nanoseconds. */
    public val timestampNanos: Long,
    /** The timestamp of the frame before, in nanoseconds. */
    public val previousNanos: Long,
) : TallyLensException(
    "the timestamp $timestampNanos ns is not later than $previousNanos ns",
    "Give each frame its capture time, in order",
)

/** The server refuses the connection, or does not follow the protocol. */
public class CloudException(problem: String, remedy: String, cause: Throwable? = null) :
    TallyLensException(problem, remedy, cause)

/** A fault inside tallylens. */
public class InternalException(problem: String) :
    TallyLensException(problem, "Report it with the model and the options that were used")
