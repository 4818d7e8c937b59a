/*
 * What busybox cannot do in a container: make, find and remove System V and POSIX IPC objects of
 * one key; say a word to whoever connects, and hear one, without looking any name up.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE 4096

static const char *queue = "/nsledger";

static int make(key_t key, const char *text)
{
	int shm = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600);
	int sem = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
	int msg = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
	mqd_t posix = mq_open(queue, O_CREAT | O_EXCL | O_RDWR, 0600, NULL);
	struct { long type; char text[64]; } letter = { 1, "" };
	char *memory;

	if (shm < 0 || sem < 0 || msg < 0 || posix < 0) {
		perror("make");
		return 1;
	}
	memory = shmat(shm, NULL, 0);
	if (memory == (void *)-1)
		return 1;
	strncpy(memory, text, SIZE - 1);
	strncpy(letter.text, text, sizeof letter.text - 1);
	return semctl(sem, 0, SETVAL, 7) || msgsnd(msg, &letter, sizeof letter.text, 0) ||
	       mq_send(posix, text, strlen(text), 0);
}

/* Prints what is there: `shm=TEXT sem=7 msg=1 mq=1`, with `-` for what is not. */
static int find(key_t key)
{
	int shm = shmget(key, 0, 0), sem = semget(key, 0, 0), msg = msgget(key, 0);
	mqd_t posix = mq_open(queue, O_RDONLY | O_NONBLOCK);
	char *memory = shm < 0 ? (char *)-1 : shmat(shm, NULL, SHM_RDONLY);
	struct msqid_ds letters;
	struct mq_attr attributes;

	printf("shm=%s", memory == (void *)-1 ? "-" : memory);
	if (sem < 0)
		printf(" sem=-");
	else
		printf(" sem=%d", semctl(sem, 0, GETVAL));
	if (msg < 0 || msgctl(msg, IPC_STAT, &letters))
		printf(" msg=-");
	else
		printf(" msg=%lu", letters.msg_qnum);
	if (posix < 0 || mq_getattr(posix, &attributes))
		printf(" mq=-\n");
	else
		printf(" mq=%ld\n", attributes.mq_curmsgs);
	return 0;
}

static int forget(key_t key)
{
	shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
	semctl(semget(key, 0, 0), 0, IPC_RMID);
	msgctl(msgget(key, 0), IPC_RMID, NULL);
	mq_unlink(queue);
	return 0;
}

static int endpoint(const char *address, const char *port, struct sockaddr_in *end)
{
	memset(end, 0, sizeof *end);
	end->sin_family = AF_INET;
	end->sin_port = htons((uint16_t)atoi(port));
	return inet_pton(AF_INET, address, &end->sin_addr) == 1 ? socket(AF_INET, SOCK_STREAM, 0) : -1;
}

/* Returns once it listens; a child answers every caller until the container ends. */
static int say(const char *address, const char *port, const char *text)
{
	struct sockaddr_in end;
	int server = endpoint(address, port, &end), caller;

	if (server < 0 || bind(server, (struct sockaddr *)&end, sizeof end) || listen(server, 8)) {
		perror("say");
		return 1;
	}
	if (fork())
		return 0;
	setsid();
	close(0), close(1), close(2);
	while ((caller = accept(server, NULL, NULL)) >= 0) {
		if (write(caller, text, strlen(text)) < 0)
			return 1;
		close(caller);
	}
	return 0;
}

static int hear(const char *address, const char *port)
{
	struct sockaddr_in end;
	int server = endpoint(address, port, &end);
	char text[256];
	ssize_t size;

	alarm(3);
	if (server < 0 || connect(server, (struct sockaddr *)&end, sizeof end)) {
		perror("hear");
		return 1;
	}
	while ((size = read(server, text, sizeof text)) > 0)
		if (fwrite(text, 1, (size_t)size, stdout) == 0)
			return 1;
	return size < 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "say"))
		return say(argv[2], argv[3], argv[4]);
	if (argc == 4 && !strcmp(argv[1], "hear"))
		return hear(argv[2], argv[3]);

	key_t key = argc > 2 ? (key_t)strtol(argv[2], NULL, 0) : 0;

	if (argc == 4 && !strcmp(argv[1], "make"))
		return make(key, argv[3]);
	if (argc == 3 && !strcmp(argv[1], "find"))
		return find(key);
	if (argc == 3 && !strcmp(argv[1], "forget"))
		return forget(key);
	fprintf(stderr, "usage: probe make KEY TEXT | find KEY | forget KEY |"
			" say ADDRESS PORT TEXT | hear ADDRESS PORT\n");
	return 2;
}
