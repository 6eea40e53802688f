# The first program of a docker sandbox: waits until its world was unpacked, leaves a keeper behind, and
# becomes PID 1 proper. Nothing of the operator's runs before that. Gives up after a minute.
#
# The keeper takes orders for the operator's processes from the harness: kill them, stop them, let them go on.
# They come as mode and time of a directory of root's, /run/evalh/order, and are acknowledged as the time of
# another, /run/evalh/done: that needs no new process, no file and no space, all of which the operator can use up.
use strict;
use POSIX ();

my ($ORDER, $DONE, $OPERATOR, $NOBODY) = ('/run/evalh/order', '/run/evalh/done', 1000, 65533);
my %do = (0701 => \&kill_all, 0702 => \&stop_all, 0704 => \&continue_all);

my $deadline = time + 60;
until (-e '/run/evalh/world') {
    exit 1 if time > $deadline;
    select undef, undef, undef, 0.002;
}
defined(my $keeper = fork) or exit 1;
keep() if !$keeper;
exec '/usr/local/lib/evalh/init' or exit 1;

sub keep {
    POSIX::setsid();
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    ($0, %ENV) = ('keeper');
    my $last = 0;
    while (1) {
        my @found = lstat $ORDER;
        if (@found && $found[9] > $last) {
            $last = $found[9];
            my $act = $do{ $found[2] & 07777 };
            $act->() if $act;
            utime $last, $last, $DONE;
        }
        select undef, undef, undef, 0.02;
    }
}

# With an effective uid of the operator's, kill(-1) reaches all of its processes in one pass of the kernel,
# during which none of them can fork. The real uid is nobody's and the saved one root's, so that none of
# them can signal the keeper meanwhile, and that the pass spares root's.
sub send_all {
    my ($signal) = @_;
    $< = $NOBODY;
    $> = $OPERATOR;
    kill $signal, -1;
    $> = 0;
    $< = 0;
}

sub until_none { # in none of the given states
    my ($signal, $fine) = @_;
    for my $round (1 .. 5000) {
        send_all($signal);
        my $left = 0;
        for my $status (glob '/proc/[0-9]*/status') {
            open my $in, '<', $status or next;
            my $text = do { local $/; <$in> } // next;
            $left++ if $text =~ /^Uid:.*\b$OPERATOR\b/m && $text !~ /^State:\s+[$fine]/m;
        }
        return if !$left;
        select undef, undef, undef, 0.002;
    }
}

sub kill_all     { until_none('KILL', 'ZX') }
sub stop_all     { until_none('STOP', 'ZXTt') }
sub continue_all { send_all('CONT') }
