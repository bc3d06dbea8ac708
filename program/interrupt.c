/* SPDX-License-Identifier: MIT
 * Signals that ask the active trainer to pause. */
#include "interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* Any thread may get the signal; only on the main one is it certain that the trainer is not
 * destroyed meanwhile. */
static an_trainer *volatile at_work;
static volatile sig_atomic_t happened;
static pthread_t main_thread;

static void on_signal(int number) {
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, number);
        return;
    }
    happened = 1;
    an_trainer_pause(at_work);
    signal(SIGINT, SIG_DFL); /* the next one ends the program */
    signal(SIGTERM, SIG_DFL);
}

static void catch_signals(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void interrupt_begin(void) {
    main_thread = pthread_self();
    catch_signals(on_signal);
}

void interrupt_end(void) {
    catch_signals(SIG_DFL);
}

void interrupt_watch(an_trainer *trainer) {
    at_work = trainer;
    if (happened) an_trainer_pause(trainer);
}

int interrupt_happened(void) {
    return happened;
}
