# Runs one command beside the session, as root or as the operator, and says how it ended.
#
# Settings come by environment, which the operator cannot read in a process of root's. Its standard output
# begins with MARK, to say that it runs; the report is "\0MARK:how:detail\0" at the end of both streams. At its deadline the command dies with
# every process below it, also with those that left its session: they are adopted, not lost.
use strict;
use POSIX ();

my ($mark, $seconds, $user, $path) = delete @ENV{qw(EVALH_MARK EVALH_SECONDS EVALH_USER EVALH_PATH)};
my %given = map { /^EVALH_RUN_(.+)/s ? ($1 => $ENV{$_}) : () } keys %ENV;
syswrite STDOUT, $mark;
%ENV = (PATH => $path, HOME => $user eq 'operator' ? '/home/operator' : '/root', LANG => 'C.UTF-8', %given);
umask 0022;
chdir '/';

sub report {
    my $text = "\0$mark:" . join(':', @_) . "\0";
    for my $stream (*STDOUT, *STDERR) {
        my $rest = $text;
        while (length $rest) {
            my $n = syswrite $stream, $rest;
            last unless defined $n || $!{EINTR};
            substr($rest, 0, $n // 0) = '';
        }
    }
    exit 0;
}

sub found {
    my ($name) = @_;
    return -f $name && -x _ if $name =~ m{/};
    -f "$_/$name" && -x _ && return 1 for split /:/, $path;
    return 0;
}

sub below {    # every process below this one
    my (%children, @found);
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        my $line = do { local $/; <$in> } // next;
        my ($pid) = $line =~ /^(\d+)/;
        my ($parent) = $line =~ /.*\) \S (\d+)/s or next;
        push @{ $children{$parent} }, $pid;
    }
    my @look = ($$);
    while (@look) {
        my $pid = shift @look;
        push @found, @{ $children{$pid} // [] };
        push @look, @{ $children{$pid} // [] };
    }
    return @found;
}

my %prctl = (x86_64 => 157, aarch64 => 167, riscv64 => 167, ppc64le => 171, s390x => 172);
my $number = $prctl{ (POSIX::uname())[4] };
syscall $number, 36, 1, 0, 0, 0 if defined $number;    # PR_SET_CHILD_SUBREAPER: adopt what is orphaned

report('unstarted', "no such program: $ARGV[0]") unless found($ARGV[0]);
my @command = @ARGV;
unshift @command, qw(setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs
    --bounding-set=-all --inh-caps=-all --ambient-caps=-all --) if $user eq 'operator';
pipe my $told, my $tell or report('refused', "pipe: $!");
my $child = fork // report('refused', "fork: $!");
if (!$child) {
    if (open my $score, '>', '/proc/self/oom_score_adj') { print $score 500 }    # it rather than PID 1
    exec { $command[0] } @command or syswrite $tell, "$command[0]: $!";
    POSIX::_exit(127);
}
$SIG{PIPE} = 'IGNORE';
close $tell;
open STDIN, '<', '/dev/null';
my $complaint = do { local $/; <$told> } // '';
report('unstarted', $complaint) if length $complaint;

my $second = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my $deadline = (POSIX::times())[0] + $seconds * $second;
my $nap = 0.001;
while (1) {
    while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
        next if $pid != $child;
        report('exit', POSIX::WIFEXITED($?) ? POSIX::WEXITSTATUS($?) : 128 + POSIX::WTERMSIG($?));
    }
    last if (POSIX::times())[0] >= $deadline;
    select undef, undef, undef, $nap;
    $nap = $nap * 1.5 if $nap < 0.02;
}
for my $round (1 .. 2000) {    # stop them all first, so that none can start another unseen
    my @left = below() or last;
    kill 'STOP', @left if $round <= 3;
    kill 'KILL', @left if $round > 3;
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    select undef, undef, undef, 0.002;
}
report('timeout', '');
