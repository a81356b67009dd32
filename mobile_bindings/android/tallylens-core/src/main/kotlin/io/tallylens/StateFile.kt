package io.tallylens

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/**
 * A saved count in a file: written beside and renamed, so that it is whole at any moment, also when the process
 * is killed.
 */
public class StateFile(private val file: File) {
    /**
     * Save the counter's state.
     *
     * @throws IOException it cannot be written; the file is as it was.
     * @throws StateException nothing has been counted yet.
     */
    @Synchronized
    public fun save(counter: Counter) {
        val state = counter.saveState()
        val partial = File(file.path + ".part")
        FileOutputStream(partial).use {
            it.write(state)
            it.fd.sync()
        }
        if (!partial.renameTo(file)) throw IOException("$partial cannot be renamed to $file")
    }

    /** [save], if anything has been counted; false if it was not saved. */
    public fun trySave(counter: Counter): Boolean = try {
        save(counter)
        true
    } catch (nothing: StateException) {
        false
    } catch (closed: IllegalStateException) {
        false
    } catch (full: IOException) {
        false
    }

    /**
     * Let the counter go on from the file; false if there is none.
     *
     * @throws StateException it is of another counter, or damaged; the counter is as it was.
     */
    public fun restore(counter: Counter): Boolean {
        val state = try {
            file.readBytes()
        } catch (missing: IOException) {
            return false
        }
        counter.restoreState(state)
        return true
    }

    /** [restore]; false also if the file does not fit. */
    public fun tryRestore(counter: Counter): Boolean = try {
        restore(counter)
    } catch (other: StateException) {
        false
    }
}
