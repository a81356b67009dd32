package io.tallylens.android

import android.content.Context
import android.os.Build
import android.os.PowerManager
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import io.tallylens.Counter
import io.tallylens.StateFile
import java.io.File
import java.util.concurrent.Executors
import java.util.concurrent.ScheduledExecutorService
import java.util.concurrent.TimeUnit

/**
 * Ties a counter to a lifecycle: it goes on from where the last process ended, saves every five seconds and when
 * the owner stops, follows the temperature, and closes with the owner.
 *
 *     CounterLifecycle.bind(counter, context, owner, "entrance")
 */
public class CounterLifecycle private constructor(
    private val counter: Counter,
    private val state: StateFile,
    private val power: PowerManager,
) : DefaultLifecycleObserver {
    private var timer: ScheduledExecutorService? = null
    private val thermal: Any? = if (Build.VERSION.SDK_INT >= THERMAL_API) {
        PowerManager.OnThermalStatusChangedListener { counter.onThermalStatus(it) }
    } else {
        null // Below API 29 the governor has the latency only.
    }

    override fun onStart(owner: LifecycleOwner) {
        if (Build.VERSION.SDK_INT >= THERMAL_API) {
            power.addThermalStatusListener(thermal as PowerManager.OnThermalStatusChangedListener)
        }
        timer = Executors.newSingleThreadScheduledExecutor().apply {
            scheduleWithFixedDelay(::tick, SAVE_S, SAVE_S, TimeUnit.SECONDS)
        }
    }

    private fun tick() {
        state.trySave(counter)
        if (Build.VERSION.SDK_INT >= HEADROOM_API) {
            val headroom = power.getThermalHeadroom(FORECAST_S)
            if (!headroom.isNaN()) counter.onThermalHeadroom(headroom)
        }
    }

    override fun onStop(owner: LifecycleOwner) {
        if (Build.VERSION.SDK_INT >= THERMAL_API) {
            power.removeThermalStatusListener(thermal as PowerManager.OnThermalStatusChangedListener)
        }
        timer?.shutdownNow()
        timer?.awaitTermination(1, TimeUnit.SECONDS)
        state.trySave(counter)
    }

    override fun onDestroy(owner: LifecycleOwner): Unit = counter.close()

    public companion object {
        private const val SAVE_S = 5L
        private const val FORECAST_S = 10
        private const val THERMAL_API = 29
        private const val HEADROOM_API = 30

        /**
         * Bind `counter` to `owner`. Call it before the first frame, on the main thread.
         *
         * @param name of the saved count in `noBackupFilesDir`; one for each counter of the app.
         * @return whether a saved count goes on. One that does not fit (other lines, another model) is ignored.
         */
        @JvmStatic
        public fun bind(counter: Counter, context: Context, owner: LifecycleOwner, name: String): Boolean {
            val state = StateFile(File(context.noBackupFilesDir, "tallylens-$name.state"))
            val resumed = state.tryRestore(counter)
            val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
            owner.lifecycle.addObserver(CounterLifecycle(counter, state, power))
            return resumed
        }
    }
}
